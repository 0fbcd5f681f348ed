import type { SeededRandom } from '../../support/seeded-random.ts';
import type { Trouble } from '../checkers/disturbance.ts';
import type { History } from '../checkers/history.ts';
import { type ClientOptions, type ClientTransport, SimulatedClient } from '../clients/simulated-client.ts';
import { Workload, type WorkloadOptions } from '../clients/workload.ts';

export interface CrowdOptions {
  readonly clients: number;
  readonly client: Omit<ClientOptions, 'client'>;
  readonly workload: WorkloadOptions;
  readonly nowMs: () => number;
}

/** All clients of a run, and what became of their requests but an answer. */
export class ClientCrowd {
  readonly refusals: Trouble[] = [];
  readonly doubts: Trouble[] = [];
  readonly #clients: readonly SimulatedClient[];

  constructor(options: CrowdOptions, transport: ClientTransport, history: History, random: SeededRandom) {
    const trouble = (into: Trouble[]) => (partition: number, reason: string) => {
      into.push({ atMs: options.nowMs(), partition, reason });
    };
    const witness = { refused: trouble(this.refusals), unknown: trouble(this.doubts) };
    this.#clients = Array.from({ length: options.clients }, (_, index) => {
      const client = index + 1;
      const workload = new Workload(random.fork(), client, options.workload);
      return new SimulatedClient(
        { ...options.client, client },
        transport,
        workload,
        history,
        random.fork(),
        witness,
      );
    });
  }

  get isIdle(): boolean {
    return this.#clients.every(({ isIdle }) => isIdle);
  }

  start(): void {
    for (const client of this.#clients) client.start();
  }

  stop(): void {
    for (const client of this.#clients) client.stop();
  }
}
