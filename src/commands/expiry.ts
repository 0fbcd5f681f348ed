/**
 * When a key is due, from the number a client gave. Due times are whole milliseconds below 2^53: what Redis accepts
 * beyond that (the year 287396) is refused as it refuses overflow.
 */
export const INVALID_DUE_TIME = Number.NaN;

/** `unitMs`: what one unit of `amount` is worth. `baseMs`: now, or 0 for an absolute time. NaN if out of range. */
export function dueTime(amount: number, unitMs: number, baseMs: number): number {
  const dueMs = amount * unitMs + baseMs;
  if (dueMs > Number.MAX_SAFE_INTEGER) return INVALID_DUE_TIME;
  // Far in the past is simply past; only seconds can overflow downwards.
  if (dueMs === Number.NEGATIVE_INFINITY && unitMs > 1) return INVALID_DUE_TIME;
  return dueMs;
}
