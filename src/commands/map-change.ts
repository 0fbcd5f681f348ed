import type { Clock } from '../env/clock.ts';
import type { ClusterSource } from './ports.ts';

/** Resolves when something changed in the cluster, or after `delayMs`. */
export function mapChange(
  source: Pick<ClusterSource, 'onChange'>,
  clock: Clock,
  delayMs: number,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      stop();
      resolve();
    };
    const timer = clock.setTimer(delayMs, done);
    const stop = source.onChange(done);
  });
}
