import type { CoordinatorSession } from '../coordination/coordinator.ts';
import { partitionPath } from '../coordination/paths.ts';
import type { Clock } from '../env/clock.ts';
import type { PartitionId, PartitionVersion } from '../model/numbers.ts';
import type { VersionCheck } from '../replication/node/ports.ts';

type Versions = readonly (readonly [PartitionId, PartitionVersion])[];
type Verdict = 'confirmed' | 'changed' | 'unknown';

interface Question {
  readonly versions: Versions;
  readonly answer: (verdict: Verdict) => void;
}

/**
 * The third read path (PROTOCOL R9): one multi of checks for everything that was asked in a turn, and one more for each question only if some version has changed,
 * since a multi does not say which. Checks are proposed through the ensemble's leader: no answer is stale (W7).
 */
export class BatchedVersionCheck implements VersionCheck {
  readonly #clock: Clock;
  readonly #session: () => CoordinatorSession | null;
  #waiting: Question[] = [];

  constructor(clock: Clock, session: () => CoordinatorSession | null) {
    this.#clock = clock;
    this.#session = session;
  }

  confirm(versions: Versions): Promise<Verdict> {
    return new Promise((resolve) => {
      if (this.#waiting.length === 0) this.#clock.atTurnEnd(() => void this.#ask());
      this.#waiting.push({ versions, answer: resolve });
    });
  }

  async #ask(): Promise<void> {
    const questions = this.#waiting;
    this.#waiting = [];
    const all = new Map(questions.flatMap(({ versions }) => versions).map((pair) => [pair.join(), pair]));
    const verdict = await this.#check([...all.values()]);
    if (verdict !== 'changed' || questions.length === 1) {
      for (const { answer } of questions) answer(verdict);
    } else {
      for (const { versions, answer } of questions) answer(await this.#check(versions));
    }
  }

  async #check(versions: Versions): Promise<Verdict> {
    const session = this.#session();
    if (session === null) return 'unknown';
    const outcome = await session.multi(
      versions.map(([partition, version]) => ({ kind: 'check', path: partitionPath(partition), version })),
    );
    if (outcome.ok) return 'confirmed';
    return outcome.failure === 'badVersion' || outcome.failure === 'noNode' ? 'changed' : 'unknown';
  }
}
