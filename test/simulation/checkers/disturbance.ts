/** A stretch of time in which clients may be refused, or left in doubt: a fault and what it takes to recover from it. */
export interface Disturbance {
  readonly atMs: number;
  readonly untilMs: number;
}

export interface Trouble {
  readonly atMs: number;
  readonly partition: number;
  readonly reason: string;
}

/** How long after a fault has ended a client may still be refused: session, election, promises, resync. */
export interface DisturbanceBounds {
  readonly recoveryMs: number;
  /** Time from the beginning of the run until every partition was first served. */
  readonly startMs: number;
}

/** Answers that send a client elsewhere: not a refusal of the cluster. */
const REDIRECTIONS = ['notLeader', 'notFollower', 'connection to node'];

/** Refusals and doubts that no fault explains. */
export function unexplained(
  troubles: readonly Trouble[],
  disturbances: readonly Disturbance[],
  { recoveryMs, startMs }: DisturbanceBounds,
): readonly Trouble[] {
  return troubles.filter(
    ({ atMs, reason }) =>
      atMs > startMs &&
      !REDIRECTIONS.some((word) => reason.startsWith(word)) &&
      !disturbances.some((fault) => atMs >= fault.atMs && atMs <= fault.untilMs + recoveryMs),
  );
}

/**
 * Being in doubt is bounded: at each fault no more than what was in flight. A client has one request in flight, and
 * asks a new one at the earliest when the last was given up: so many times the number of clients as its shortest
 * patience fits into the disturbed time.
 */
export function doubtsMax(
  disturbances: readonly Disturbance[],
  clients: number,
  patienceMsMin: number,
  recoveryMs: number,
): number {
  return disturbances.reduce(
    (sum, { atMs, untilMs }) =>
      sum + clients * (1 + Math.ceil((untilMs - atMs + recoveryMs) / patienceMsMin)),
    0,
  );
}
