/**
 * `leading`: nothing was asked. `draining`: no new write is taken until what was begun is committed. `released`:
 * nothing is done in this epoch any more, for good.
 */
export type HandOverPhase = 'leading' | 'draining' | 'released';

export interface HandOverFacts {
  /** The controller asked for it not long ago. */
  readonly isAsked: boolean;
  /** L5. */
  readonly canAct: boolean;
  /** The high watermark has reached the log's end. */
  readonly isDrained: boolean;
  /** The role has come to an end by itself, by its disk: it answers nothing any more. */
  readonly isEnded: boolean;
}

/**
 * A controlled transfer, seen from the leader (PROTOCOL L9): stop writes, drain, stop reads. Who could not act yet has
 * nothing to release (R20). A request that is not repeated is void: the leader leads on, unless it has released; from
 * there is no way back in this epoch.
 */
export function nextHandOver(phase: HandOverPhase, facts: HandOverFacts): HandOverPhase {
  if (phase === 'released') return 'released';
  if (!facts.isAsked) return 'leading';
  if (facts.isEnded) return 'released';
  return facts.canAct && facts.isDrained ? 'released' : 'draining';
}
