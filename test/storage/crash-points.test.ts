import { describeCrashPoints } from '../support/crash-points.ts';
import { append, checkpoint, firstStart, recovery, roll } from '../support/crash-workloads.ts';

describeCrashPoints('crash points of the log and of a start', [
  append,
  roll,
  firstStart,
  checkpoint,
  recovery,
]);
