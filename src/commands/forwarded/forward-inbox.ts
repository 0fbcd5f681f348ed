import type { ForwardRequest, ForwardService, ForwardStream } from '../../cluster/index.ts';
import type { Clock } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import { asMonotonicMillis } from '../../model/numbers.ts';
import { OutputPool } from '../../resp/output-pool.ts';
import { Executor } from '../executor.ts';
import { CommandCounters, type ServerPorts } from '../ports.ts';
import { CommandRun, type CommandRunParts } from './command-run.ts';
import { ReadLane } from './read-lane.ts';
import type { InboxRouter } from './request-gate.ts';
import { WriteLane } from './write-lane.ts';

export interface ForwardInboxParts {
  readonly router: InboxRouter;
  /** Of the plain listener: forwarded commands are counted where they run, as commands are there. */
  readonly ports: ServerPorts;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'error'>;
}

const WAY_BACK_MS_MAX = 250;

/** A refusal is to be back before the forwarder's patience is over. */
function wayBackMs(timeoutMs: number): number {
  return Math.min(WAY_BACK_MS_MAX, timeoutMs / 4);
}

/**
 * Runs commands that other nodes forward to this one, as leader of their partitions (R23). Each concerns its partition
 * alone, whether it names keys or not.
 */
export class ForwardInbox implements ForwardService {
  readonly #parts: ForwardInboxParts;
  readonly #runParts: CommandRunParts;
  /** By forwarder and partition. */
  readonly #writes = new Map<string, WriteLane>();
  readonly #reads: ReadLane;

  constructor(parts: ForwardInboxParts) {
    this.#parts = parts;
    const { router, ports, clock, logger } = parts;
    // A command is counted as processed by the node that its client speaks to.
    const executor = new Executor(ports.table, new CommandCounters());
    this.#runParts = { executor, router, ports, clock, logger, pool: new OutputPool() };
    this.#reads = new ReadLane(router, clock, () => new CommandRun(this.#runParts, null));
  }

  received(stream: ForwardStream, request: ForwardRequest): void {
    const { clock } = this.#parts;
    const { timeoutMs } = request;
    const endMs = asMonotonicMillis(clock.monotonicMs() + timeoutMs);
    const untilMs = asMonotonicMillis(endMs - wayBackMs(timeoutMs));
    const received = { stream, request, untilMs, endMs };
    if (request.sequence === null) this.#reads.received(received);
    else this.#lane(request).received(received);
  }

  ended(stream: ForwardStream): void {
    for (const lane of this.#writes.values()) lane.ended(stream);
    this.#reads.ended(stream);
  }

  #lane({ forwarder, partition }: ForwardRequest): WriteLane {
    const key = `${forwarder} ${partition}`;
    let lane = this.#writes.get(key);
    if (lane === undefined) {
      const { router, clock } = this.#parts;
      lane = new WriteLane(router, clock, (listener) => new CommandRun(this.#runParts, listener));
      this.#writes.set(key, lane);
    }
    return lane;
  }
}
