import type { Clock } from '../env/clock.ts';

/** Waits for all of them, but no longer than this. */
export async function finishWithin(
  clock: Clock,
  withinMs: number,
  endings: readonly Promise<void>[],
): Promise<void> {
  let timeUp = (): void => {};
  const timer = clock.setTimer(withinMs, () => timeUp());
  await Promise.race([
    Promise.all(endings),
    new Promise<void>((resolve) => {
      timeUp = resolve;
    }),
  ]);
  timer.cancel();
}
