import type { Incarnation } from '../model/numbers.ts';

/** An earlier life of this directory has an incarnation below ours by less; that of another directory began at another time. */
const LIVES_MAX = 1000;

/**
 * Was `incarnation` a life of the data directory that is now in its life `own`? (W9) Never one with the same number:
 * under another session that is a copy of the directory, and its process is as alive as ours.
 */
export function isEarlierLife(own: Incarnation, incarnation: Incarnation): boolean {
  return incarnation < own && own - incarnation < LIVES_MAX;
}
