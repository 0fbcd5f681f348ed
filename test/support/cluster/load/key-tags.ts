import { slotOf } from '../../../../src/cluster/slots.ts';
import type { ClusterFacts } from '../../../../src/model/partition-state.ts';

/** A hash tag of each partition: keys with it in braces lie there. */
export function keyTags({ slots }: Pick<ClusterFacts, 'slots'>): readonly string[] {
  const count = Math.max(...slots.map(([, , partition]) => partition)) + 1;
  const tags: string[] = [];
  for (let index = 0; tags.filter((tag) => tag !== undefined).length < count; index += 1) {
    const tag = `t${index}`;
    const bytes = Buffer.from(tag);
    const slot = slotOf(bytes, 0, bytes.length);
    const range = slots.find(([first, last]) => first <= slot && slot <= last);
    if (range === undefined) throw new Error(`slot ${slot} belongs to no partition`);
    tags[range[2]] ??= tag;
  }
  return tags;
}
