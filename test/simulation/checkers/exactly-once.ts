import type { Offset } from '../../../src/model/numbers.ts';
import type { ProducerNote } from '../../../src/model/producer.ts';
import { producerName } from '../clients/numbering.ts';
import type { LogRecord } from './log-records.ts';

/** What the sender of a numbered command was answered, each time that it was. */
export interface Telling extends Pick<ProducerNote, 'producer' | 'sequence'> {
  readonly partition: number;
  readonly atMs: number;
  readonly reply: string;
}

/** What was committed in one partition. */
export interface CommittedLog {
  readonly partition: number;
  readonly endOffset: Offset;
  /** In order. Some may be unknown: then what is not there says nothing. */
  readonly records: readonly LogRecord[];
}

/**
 * Numbered commands against the log that was committed (R13, R14): each was executed at most once, however often it was
 * sent; one that was answered was executed, and every answer was the same; a forwarder's came in order and without a
 * gap.
 */
export function checkExactlyOnce(log: CommittedLog, tellings: readonly Telling[]): readonly string[] {
  const { partition, endOffset, records } = log;
  const isWhole = records.length >= endOffset;
  const executed = new Map<string, { readonly offset: Offset; readonly outcome: string }>();
  const highs = new Map<string, number>();
  const found: string[] = [];
  for (const { note, offset } of records) {
    if (note === null) continue;
    const name = nameOf(note);
    const before = executed.get(name);
    if (before !== undefined) {
      found.push(`partition ${partition}: ${name} was executed at ${before.offset} and again at ${offset}`);
      continue;
    }
    executed.set(name, { offset, outcome: Buffer.from(note.outcome ?? '').toString('latin1') });
    if (note.producer.kind === 'client') continue;
    const life = producerName(note.producer);
    const high = highs.get(life) ?? 0;
    highs.set(life, note.sequence);
    if (note.sequence <= high || (isWhole && note.sequence !== high + 1))
      found.push(`partition ${partition}: ${name} at ${offset} came after its sequence ${high}`);
  }
  for (const telling of tellings) {
    if (telling.partition !== partition) continue;
    const name = nameOf(telling);
    const { outcome } = executed.get(name) ?? { outcome: null };
    if (outcome === telling.reply || (outcome === null && !isWhole)) continue;
    const what = outcome === null ? 'it was never executed' : `the log says ${outcome}`;
    found.push(
      `partition ${partition}: ${name} was answered ${telling.reply} at ${telling.atMs.toFixed(1)} ms; ${what}`,
    );
  }
  return found;
}

function nameOf({ producer, sequence }: Pick<ProducerNote, 'producer' | 'sequence'>): string {
  return `command ${sequence} of ${producerName(producer)}`;
}
