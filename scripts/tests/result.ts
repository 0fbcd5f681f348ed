/** Where the run writes its result, one line of JSON: not to its output, which tests write to as well. */
export const RESULT_DESCRIPTOR = 3;

export interface Result {
  readonly passed: number;
  readonly failed: number;
}
