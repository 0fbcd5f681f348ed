import { randomBytes, randomInt, randomUUID } from 'node:crypto';

/** The door to chance: one seed decides everything under the simulator. */
export interface Random {
  /** Integer in [0, bound). */
  below(bound: number): number;
  bytes(length: number): Uint8Array;
  uuid(): string;
}

export class SystemRandom implements Random {
  below(bound: number): number {
    return randomInt(bound);
  }

  bytes(length: number): Uint8Array {
    return randomBytes(length);
  }

  uuid(): string {
    return randomUUID();
  }
}
