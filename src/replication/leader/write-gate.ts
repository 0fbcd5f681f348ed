import type { Clock } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import { CaskadeError, isDiskFull } from '../../model/errors.ts';
import type { PartitionId } from '../../model/numbers.ts';

const ROOM_PROBE_MS = 500;

/** What the gate asks of its partition. */
export interface WriteGateHost {
  readonly id: PartitionId;
  /** Throws what keeps a batch of the usual size from being written. */
  probeRoom(): Promise<void>;
  /** There is room again. */
  reopened(): void;
  /** Probing met something worse than a full disk. */
  failed(error: unknown): void;
}

/**
 * Whether a partition takes writes, and if not, why: for good once it is fenced (R24, KAFKA-10778), until there is room
 * when the disk is full, or because the server is shutting down.
 */
export class WriteGate {
  readonly #host: WriteGateHost;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #refusal: CaskadeError | null = null;
  /** The committed ISR is too small (R1): goes by itself, whatever else stands in the way. */
  #belowMin: CaskadeError | null = null;
  #isFenced = false;
  #isStopped = false;
  #isStalled = false;
  /** A probe is on its way: one timer at a time. */
  #isProbing = false;

  constructor(host: WriteGateHost, clock: Clock, logger: Logger) {
    this.#host = host;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Why writes are refused; null if they are not. */
  get refusal(): CaskadeError | null {
    return this.#refusal ?? this.#belowMin;
  }

  /** Not null: writes are refused before they are appended, until the ISR is large enough again (R1). */
  belowMin(error: CaskadeError | null): void {
    if ((error === null) === (this.#belowMin === null)) return;
    this.#belowMin = error;
    if (error === null) this.#host.reopened();
  }

  /** Nothing is committed any more: writes are refused, safe to retry, until something is. A stronger refusal stays. */
  stall(error: CaskadeError): void {
    if (this.#refusal !== null) return;
    this.#logger.error({ err: error, partition: this.#host.id }, 'nothing is committed: writes are refused');
    this.#refusal = error;
    this.#isStalled = true;
  }

  /** Something was committed again. */
  endStall(): void {
    if (!this.#isStalled) return;
    this.#isStalled = false;
    this.#logger.info({ partition: this.#host.id }, 'commits go on: writes are accepted');
    this.#refusal = null;
  }

  get isFenced(): boolean {
    return this.#isFenced;
  }

  /** This node leads no more: nothing is appended any more. */
  end(error: CaskadeError): void {
    this.#isStopped = true;
    this.#isStalled = false;
    this.#refusal = error;
  }

  /** No more writes before a restart. Returns the refusal that clients see from now on. */
  fence(error: CaskadeError): CaskadeError {
    const partition = this.#host.id;
    this.#logger.error({ err: error, partition }, 'partition fenced: no more writes until a restart');
    this.#isFenced = true;
    this.#isStalled = false;
    this.#refusal = new CaskadeError(
      'partitionFenced',
      `Partition ${partition} takes no writes: ${error.message}. Restart the server when the disk is well again`,
      { cause: error },
    );
    return this.#refusal;
  }

  /** Refuses writes, and looks every so often whether there is room again. */
  refuseUntilRoom(error: CaskadeError): void {
    const partition = this.#host.id;
    this.#logger.error({ err: error, partition }, 'disk full: writes are refused until there is room');
    this.#isStalled = false;
    this.#refusal = error;
    this.#probeLater();
  }

  /** Refuses writes because the partition is being closed; the probing ends. */
  shut(): void {
    this.#isStopped = true;
    this.#isStalled = false;
    this.#refusal ??= new CaskadeError('shuttingDown', 'The server is shutting down');
  }

  #probeLater(): void {
    if (this.#isProbing) return;
    this.#isProbing = true;
    this.#clock.setTimer(ROOM_PROBE_MS, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    this.#isProbing = false;
    if (this.#isFenced || this.#isStopped) return;
    const failure = await this.#failureOfProbe();
    // Somebody may have fenced or closed the partition while the probe waited for its turn.
    if (this.#isFenced || this.#isStopped) return;
    if (failure === null) {
      this.#refusal = null;
      const partition = this.#host.id;
      this.#logger.info({ partition }, 'there is room on the disk again: writes are accepted');
      this.#host.reopened();
    } else if (isDiskFull(failure)) {
      this.#probeLater();
    } else {
      this.#host.failed(failure);
    }
  }

  /** Null: there is room. */
  async #failureOfProbe(): Promise<unknown> {
    try {
      await this.#host.probeRoom();
      return null;
    } catch (error) {
      return error;
    }
  }
}
