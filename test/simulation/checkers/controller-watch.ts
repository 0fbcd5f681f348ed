import { decodeController, decodeControllerEpoch } from '../../../src/coordination/documents.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { Findings } from './findings.ts';

/** What the coordinator holds of the controller, as text; null: nothing. */
export interface ControllerTexts {
  readonly controller: string | null;
  readonly epoch: string | null;
}

/**
 * One controller in each epoch, and no word of one whose time is over: whoever takes the place raises the epoch, and what is written of a partition is written in the epoch that holds at
 * that instant (W8). `forgets`: the coordinator lost writes, and epochs may come again (R17).
 */
export class ControllerWatch {
  readonly #findings: Findings;
  readonly #versions = new Map<number, number>();
  #controller: string | null = null;
  #controllerEpochMax = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  look({ controller, epoch }: ControllerTexts, states: readonly PartitionState[], forgets: boolean): void {
    if (controller !== this.#controller) {
      this.#controller = controller;
      if (controller !== null) this.#reigns(controller, forgets);
    }
    for (const state of states) {
      const before = this.#versions.get(state.id);
      if (before === state.version) continue;
      this.#versions.set(state.id, state.version);
      if (before !== undefined && !forgets) this.#isOfNow(state, epoch);
    }
  }

  #reigns(text: string, forgets: boolean): void {
    const decoded = decodeController(JSON.parse(text));
    if (!decoded.ok) return;
    const { nodeId, controllerEpoch } = decoded.value;
    this.#findings.expect(
      forgets || controllerEpoch > this.#controllerEpochMax,
      'one controller per epoch',
      () =>
        `node ${nodeId} reigns in controller epoch ${controllerEpoch}, which is not above ${this.#controllerEpochMax}`,
    );
    this.#controllerEpochMax = Math.max(this.#controllerEpochMax, controllerEpoch);
  }

  #isOfNow({ id, version, controllerEpoch }: PartitionState, text: string | null): void {
    const decoded = decodeControllerEpoch(JSON.parse(text ?? 'null'));
    this.#findings.expect(
      !decoded.ok || controllerEpoch >= decoded.value,
      'one controller per epoch',
      () =>
        `partition ${id} v${version} was written in controller epoch ${controllerEpoch}, after another had begun (W8)`,
    );
  }
}
