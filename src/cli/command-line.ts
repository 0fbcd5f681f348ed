export const INVALID_ARGUMENTS = 'Invalid argument(s)';

export interface RepeatedCommand {
  readonly times: number;
  readonly command: readonly Buffer[];
}

/** `5 incr n` is INCR n, five times, as in redis-cli; a number alone is a command like any other. */
export function parseRepeat(words: readonly Buffer[]): RepeatedCommand {
  const [first] = words;
  if (first === undefined || words.length < 2 || !/^[1-9]\d{0,8}$/.test(first.toString('latin1'))) {
    return { times: 1, command: words };
  }
  return { times: Number(first.toString()), command: words.slice(1) };
}
