export type OperationKind =
  | 'open'
  | 'create'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'unlink'
  | 'makeDirectory'
  | 'removeDirectory'
  | 'syncDirectory'
  | 'note';

export interface TracedOperation {
  /** Drawn when the operation began; from the same counter as `endedAt`, so the two order all events. */
  readonly startedAt: number;
  /** Drawn when it had succeeded; undefined while it runs and for ever when it failed. */
  readonly endedAt: number | undefined;
  readonly kind: OperationKind;
  /** The path; for `note` its text, for `rename` the old path. */
  readonly path: string;
  /** Of a write: where; of a truncate: the new length. */
  readonly position?: number;
  readonly length?: number;
  /** Of a rename: the new path. */
  readonly target?: string;
}

export type OperationDetail = Pick<TracedOperation, 'kind' | 'path' | 'position' | 'length' | 'target'>;

const nothing = (): void => undefined;

/** What was done to a disk, in order, so that a test can hold an ordering rule against it. */
export class OperationTrace {
  readonly #operations: { -readonly [Key in keyof TracedOperation]: TracedOperation[Key] }[] = [];
  readonly #isRecording: boolean;
  #sequence = 0;

  /** One that does not record forgets everything at once: for disks that live through millions of operations. */
  constructor(isRecording = true) {
    this.#isRecording = isRecording;
  }

  get operations(): readonly TracedOperation[] {
    return this.#operations;
  }

  /** Call the returned function when the operation has succeeded. */
  begin(detail: OperationDetail): () => void {
    if (!this.#isRecording) return nothing;
    const operation = { ...detail, startedAt: this.#sequence++, endedAt: undefined as number | undefined };
    this.#operations.push(operation);
    return () => {
      operation.endedAt = this.#sequence++;
    };
  }

  /** An event of the test's own (a reply left), ordered with the others. Returns its sequence number. */
  note(text: string): number {
    this.begin({ kind: 'note', path: text })();
    return this.#sequence - 1;
  }

  /** The operations that succeeded, in the order they began: one line each, `write p0/log 4096 512`. */
  lines(): string[] {
    return this.#operations.filter((each) => each.endedAt !== undefined).map(lineOf);
  }

  clear(): void {
    this.#operations.length = 0;
  }
}

function lineOf(operation: TracedOperation): string {
  const { kind, path, target, position, length } = operation;
  return [kind, path, target, position, length].filter((part) => part !== undefined).join(' ');
}
