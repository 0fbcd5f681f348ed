import { keysOf, type Operation, Replies } from './history.ts';
import type { CommittedValue } from './reference-log.ts';

export interface StaleReadOptions {
  /** A follower may answer with what was committed at most so long before the read began. */
  readonly stalenessMsMax: number;
  /** Everything that was ever committed under a key, oldest first. */
  readonly valuesOf: (partition: number, key: string) => readonly CommittedValue[];
}

/**
 * Reads that a follower answered: each key's value was committed at some time between the bound before the read and its
 * answer. Nothing else is promised: not that two keys are of one moment, not that a client never sees an older value
 * after a newer one.
 */
export function checkStaleReads(
  operations: readonly Operation[],
  options: StaleReadOptions,
): readonly string[] {
  const found: string[] = [];
  for (const operation of operations) {
    const { consistency, outcome } = operation;
    if (consistency !== 'follower' || outcome.kind !== 'done') continue;
    const shown = shownValues(outcome.reply);
    for (const [index, key] of keysOf(operation.action).entries()) {
      const value = shown[index] ?? Replies.nil;
      if (!wasCommitted(operation, key, value, options)) found.push(describe(operation, key, value));
    }
  }
  return found;
}

function wasCommitted(
  { partition, invokedAtMs, returnedAtMs }: Operation,
  key: string,
  shown: string,
  { stalenessMsMax, valuesOf }: StaleReadOptions,
): boolean {
  const values = valuesOf(partition, key);
  const oldestMs = invokedAtMs - stalenessMsMax;
  const firstMs = values[0]?.sinceMs ?? Number.POSITIVE_INFINITY;
  if (shown === Replies.nil && firstMs >= oldestMs) return true;
  return values.some(({ value, sinceMs }, index) => {
    const untilMs = values[index + 1]?.sinceMs ?? Number.POSITIVE_INFINITY;
    return Replies.value(value) === shown && sinceMs <= returnedAtMs && untilMs >= oldestMs;
  });
}

function shownValues(reply: string): readonly string[] {
  return reply.startsWith('[') ? reply.slice(1, -1).split(',') : [reply];
}

function describe({ id, client, partition, invokedAtMs }: Operation, key: string, shown: string): string {
  return `partition ${partition}: follower read #${id} of client ${client} at ${invokedAtMs.toFixed(2)} ms shows ${key} as ${shown}, which was not committed within the bound`;
}
