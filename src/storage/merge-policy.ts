/** What the policy must know of a sealed segment. */
export interface SegmentShape {
  readonly length: number;
  readonly deadBytes: number;
  readonly tombstoneBytes: number;
}

export interface MergePolicy {
  /** A segment, or a prefix of the log, is merged when this part of it would be given back. In (0, 1). */
  readonly deadRatioMin: number;
  readonly segmentBytesMax: number;
}

/** Merge the `count` sealed segments from index `first` on. Tombstones may be dropped only from a prefix (C4a). */
export interface MergePlan {
  readonly first: number;
  readonly count: number;
}

/**
 * Which run of sealed segments, oldest first, is worth merging now, or null. Tried in this order:
 * 1. the shortest prefix of the log that would give back enough, counting the tombstones that only a prefix may drop;
 * 2. the longest run of segments that each hold enough dead bytes;
 * 3. two neighbours so small that one file could hold both twice over (their number is bounded that way).
 */
export function planMerge(segments: readonly SegmentShape[], policy: MergePolicy): MergePlan | null {
  return prefixPlan(segments, policy) ?? runPlan(segments, policy) ?? smallPlan(segments, policy);
}

function prefixPlan(segments: readonly SegmentShape[], policy: MergePolicy): MergePlan | null {
  let bytes = 0;
  let gain = 0;
  for (const [index, segment] of segments.entries()) {
    bytes += segment.length;
    gain += segment.deadBytes + segment.tombstoneBytes;
    if (gain > 0 && gain >= bytes * policy.deadRatioMin) return { first: 0, count: index + 1 };
  }
  return null;
}

function runPlan(segments: readonly SegmentShape[], policy: MergePolicy): MergePlan | null {
  let best: MergePlan | null = null;
  let first = 0;
  for (let index = 0; index <= segments.length; index += 1) {
    const segment = segments[index];
    if (segment !== undefined && segment.deadBytes >= segment.length * policy.deadRatioMin) continue;
    const count = index - first;
    if (count > (best?.count ?? 0)) best = { first, count };
    first = index + 1;
  }
  return best;
}

function smallPlan(segments: readonly SegmentShape[], policy: MergePolicy): MergePlan | null {
  for (let index = 0; index + 1 < segments.length; index += 1) {
    const both = kept(segments[index] as SegmentShape) + kept(segments[index + 1] as SegmentShape);
    if (both * 2 <= policy.segmentBytesMax) return { first: index, count: 2 };
  }
  return null;
}

function kept(segment: SegmentShape): number {
  return segment.length - segment.deadBytes;
}
