import { decodeController, decodeControllerEpoch } from '../../../src/coordination/documents.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { Findings } from './findings.ts';

/** What the coordinator holds of the controller, as text; null: nothing. */
export interface ControllerTexts {
  readonly controller: string | null;
  readonly epoch: string | null;
}

/**
 * One controller in each epoch, and no word of one whose time is over: whoever takes the place raises the epoch, and
 * what is written of a partition is written in the epoch that holds at that instant (W8). Whenever `lossCount` has
 * grown the coordinator has lost its last writes, and what it knew only by them may come again (R17).
 */
export class ControllerWatch {
  readonly #findings: Findings;
  readonly #versions = new Map<number, number>();
  #controller: string | null = null;
  #controllerEpochMax = 0;
  #lossCount = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  look({ controller, epoch }: ControllerTexts, states: readonly PartitionState[], lossCount: number): void {
    if (lossCount !== this.#lossCount) {
      this.#lossCount = lossCount;
      this.#versions.clear();
      this.#controller = controller;
      this.#controllerEpochMax = decodedEpoch(epoch) ?? 0;
    }
    if (controller !== this.#controller) {
      this.#controller = controller;
      if (controller !== null) this.#reigns(controller);
    }
    for (const state of states) {
      const before = this.#versions.get(state.id);
      if (before === state.version) continue;
      this.#versions.set(state.id, state.version);
      if (before !== undefined) this.#isOfNow(state, epoch);
    }
  }

  #reigns(text: string): void {
    const decoded = decodeController(JSON.parse(text));
    if (!decoded.ok) return;
    const { nodeId, controllerEpoch } = decoded.value;
    this.#findings.expect(
      controllerEpoch > this.#controllerEpochMax,
      'one controller per epoch',
      () =>
        `node ${nodeId} reigns in controller epoch ${controllerEpoch}, which is not above ${this.#controllerEpochMax}`,
    );
    this.#controllerEpochMax = Math.max(this.#controllerEpochMax, controllerEpoch);
  }

  #isOfNow({ id, version, controllerEpoch }: PartitionState, text: string | null): void {
    const epoch = decodedEpoch(text);
    this.#findings.expect(
      epoch === null || controllerEpoch >= epoch,
      'one controller per epoch',
      () =>
        `partition ${id} v${version} was written in controller epoch ${controllerEpoch}, after another had begun (W8)`,
    );
  }
}

function decodedEpoch(text: string | null): number | null {
  const decoded = decodeControllerEpoch(JSON.parse(text ?? 'null'));
  return decoded.ok ? decoded.value : null;
}
