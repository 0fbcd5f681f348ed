import type { CoordinatorSession } from '../coordination/coordinator.ts';
import { decodePartition } from '../coordination/documents.ts';
import { partitionPath } from '../coordination/paths.ts';
import type { Clock } from '../env/clock.ts';
import { isSameState, type PartitionState } from '../model/partition-state.ts';
import type { VersionCheck } from '../replication/node/ports.ts';

type Verdict = 'confirmed' | 'changed' | 'unknown';

interface Question {
  readonly states: readonly PartitionState[];
  readonly answer: (verdict: Verdict) => void;
}

/**
 * The third read path (PROTOCOL R9): one multi of checks for everything that was asked in a turn, and one more for each
 * question only if some version has changed, since a multi does not say which. Checks are proposed through the
 * ensemble's leader: no answer is stale (W7). A coordinator that lost writes has given a version number to another
 * state (R17): so what stands there is read as well, behind the check.
 */
export class BatchedVersionCheck implements VersionCheck {
  readonly #clock: Clock;
  readonly #session: () => CoordinatorSession | null;
  #waiting: Question[] = [];

  constructor(clock: Clock, session: () => CoordinatorSession | null) {
    this.#clock = clock;
    this.#session = session;
  }

  confirm(states: readonly PartitionState[]): Promise<Verdict> {
    return new Promise((resolve) => {
      if (this.#waiting.length === 0) this.#clock.atTurnEnd(() => void this.#ask());
      this.#waiting.push({ states, answer: resolve });
    });
  }

  async #ask(): Promise<void> {
    const questions = this.#waiting;
    this.#waiting = [];
    const verdict = await this.#check(questions.flatMap(({ states }) => states));
    if (verdict !== 'changed' || questions.length === 1) {
      for (const { answer } of questions) answer(verdict);
    } else {
      for (const { states, answer } of questions) answer(await this.#check(states));
    }
  }

  async #check(states: readonly PartitionState[]): Promise<Verdict> {
    const session = this.#session();
    if (session === null) return 'unknown';
    const checks = new Map(
      states.map(({ id, version }) => {
        const path = partitionPath(id);
        return [`${path} ${version}`, { kind: 'check', path, version } as const];
      }),
    );
    const outcome = await session.multi([...checks.values()]);
    if (!outcome.ok)
      return outcome.failure === 'badVersion' || outcome.failure === 'noNode' ? 'changed' : 'unknown';
    const verdicts = await Promise.all(states.map((state) => this.#compare(session, state)));
    return verdicts.find((verdict) => verdict !== 'confirmed') ?? 'confirmed';
  }

  async #compare(session: CoordinatorSession, state: PartitionState): Promise<Verdict> {
    const node = await session.read(partitionPath(state.id));
    if (!node.ok) return node.failure === 'noNode' ? 'changed' : 'unknown';
    const decoded = decodePartition(state.id, node.value.data, node.value.version);
    return decoded.ok && isSameState(decoded.value, state) ? 'confirmed' : 'changed';
  }
}
