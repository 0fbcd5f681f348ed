import { describeCrashPoints } from '../support/crash-points.ts';
import { mergeInside, mergePrefix, mergeTwice } from '../support/crash-workloads.ts';

describeCrashPoints('crash points of a merge', [mergePrefix, mergeTwice, mergeInside]);
