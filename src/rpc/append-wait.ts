import type { CommitListener, LeaderPartition } from '../cluster/index.ts';
import type { CaskadeError } from '../model/errors.ts';
import type { Offset } from '../model/numbers.ts';

/** Null: nothing is known yet. An error whose code is not `inDoubt` says that nothing was written (R22). */
export type AppendOutcome = 'committed' | CaskadeError | null;

/** How one append ends. The first thing that is heard of it counts. */
export class AppendWait implements CommitListener {
  readonly ended: Promise<void>;
  readonly #offset: Offset;
  #outcome: AppendOutcome = null;
  #resolve: () => void = () => {};

  /** In the turn in which `offset` was appended. */
  constructor(partition: LeaderPartition, offset: Offset) {
    this.#offset = offset;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.committed(partition);
    if (this.#outcome === null) partition.listen(this);
  }

  get outcome(): AppendOutcome {
    return this.#outcome;
  }

  committed({ highWatermark }: LeaderPartition): void {
    if (this.#offset < highWatermark) this.#end('committed');
  }

  inDoubt(_partition: LeaderPartition, firstOffset: Offset, error: CaskadeError): void {
    if (this.#offset >= firstOffset) this.#end(error);
  }

  #end(outcome: AppendOutcome): void {
    this.#outcome ??= outcome;
    this.#resolve();
  }
}
