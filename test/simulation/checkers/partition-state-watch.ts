import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { Findings } from './findings.ts';

/**
 * Looks at what the coordinator holds of each partition, whenever it changed. Whenever `lossCount` has grown the
 * coordinator has lost its last writes: versions and epochs go back at that instant, and who is elected next need not
 * be a member of what it still knows (R17).
 */
export class PartitionStateWatch {
  readonly #findings: Findings;
  readonly #minInsync: number;
  readonly #last = new Map<number, PartitionState>();
  readonly #lossCounts = new Map<number, number>();
  /** Nobody has been elected since the coordinator lost writes. */
  readonly #forgotten = new Set<number>();

  constructor(findings: Findings, minInsync: number) {
    this.#findings = findings;
    this.#minInsync = minInsync;
  }

  look(state: PartitionState, lossCount: number): void {
    if (lossCount !== (this.#lossCounts.get(state.id) ?? 0)) {
      this.#lossCounts.set(state.id, lossCount);
      this.#last.delete(state.id);
      this.#forgotten.add(state.id);
    }
    const before = this.#last.get(state.id);
    if (before === state || (before?.version === state.version && before.leaderEpoch === state.leaderEpoch))
      return;
    this.#last.set(state.id, state);
    this.#isWhole(state);
    if (before !== undefined) this.#follows(before, state);
  }

  #isWhole(state: PartitionState): void {
    const { id, leader, leaderEpoch, isr, elr, replicas } = state;
    const check = (holds: boolean, what: string): void =>
      this.#findings.expect(holds, 'partition state', () => `partition ${id}: ${what}: ${text(state)}`);
    check(isr.length > 0 || leaderEpoch === 0, 'the ISR is empty (2.7)');
    check(leader === null || isr.includes(leader), 'the leader is not in the ISR');
    check(
      isr.every((node) => replicas.includes(node)),
      'a member of the ISR is not assigned (I7)',
    );
    check(
      elr.every((node) => replicas.includes(node) && !isr.includes(node)),
      'the ELR is not apart from the ISR, or not assigned',
    );
    const minInsync = state.minInsync ?? this.#minInsync;
    check(isr.length < minInsync || elr.length === 0, 'the ELR outlives an ISR of min.insync (R1)');
    check(new Set(isr).size === isr.length, 'a node is twice in the ISR');
    // With no leader, members that are known to be lost stay, disowned (2.7).
    for (const node of leader === null ? [] : isr) {
      const isKnown = state.incarnations[node] !== undefined && state.directoryIds[node] !== undefined;
      check(isKnown, `node ${node} is in the ISR without life or directory (R5)`);
    }
  }

  #follows(before: PartitionState, after: PartitionState): void {
    const change = (): string =>
      `partition ${after.id}: a state that may not follow: ${text(before)} => ${text(after)}`;
    const isSame = before.uuid === after.uuid;
    this.#findings.expect(
      isSame && after.version >= before.version && after.leaderEpoch >= before.leaderEpoch,
      'partition state',
      change,
    );
    const isLedAnew = after.leader !== null && after.leader !== before.leader;
    this.#findings.expect(!isLedAnew || after.leaderEpoch > before.leaderEpoch, 'partition state', change);
    this.#findings.expect(
      after.controllerEpoch >= before.controllerEpoch,
      'partition state',
      () => `${change()}: of an older controller (W8)`,
    );
    const wasMember = (node: number): boolean =>
      before.isr.some((member) => member === node) || before.elr.some((member) => member === node);
    this.#findings.expect(
      !isLedAnew ||
        before.leaderEpoch === 0 ||
        this.#forgotten.has(after.id) ||
        after.recovery === 'unclean' ||
        wasMember(after.leader),
      'clean election',
      () => `${change()}: the new leader was in neither ISR nor ELR`,
    );
    if (isLedAnew) this.#forgotten.delete(after.id);
  }
}

function text(state: PartitionState): string {
  const { version, leader, leaderEpoch, isr, elr, controllerEpoch } = state;
  return `v${version} leader ${leader ?? 'none'} epoch ${leaderEpoch} isr [${isr.join(' ')}] elr [${elr.join(' ')}] controller ${controllerEpoch}`;
}
