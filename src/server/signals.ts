import { ExitCode } from '../model/exit-codes.ts';

/** SIGINT and SIGTERM: the first asks for an orderly stop, the second ends the process at once. */
export class Signals {
  readonly stopped: Promise<void>;
  #resolve: () => void = () => {};
  #count = 0;

  constructor() {
    this.stopped = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => this.#received());
  }

  /** As if the first signal had come: SHUTDOWN does this. */
  stop(): void {
    this.#resolve();
  }

  #received(): void {
    this.#count += 1;
    if (this.#count > 1) process.exit(ExitCode.interrupted);
    this.#resolve();
  }
}
