import { expect } from 'chai';
import {
  encodeFrame,
  FRAME_ALIGNMENT_BYTES,
  type JournalRecord,
} from '../../../src/storage/journal/frame.ts';
import { scanJournal } from '../../../src/storage/journal/journal-scan.ts';

const STEP = FRAME_ALIGNMENT_BYTES;
const put = (path: string, position = 0): JournalRecord => ({
  kind: 'bytes',
  path,
  position,
  chunks: [Buffer.from('bytes')],
});
const settled = (path: string): JournalRecord => ({ kind: 'settled', path });

const idOf = (lap: number): string => String(lap).padStart(32, '0');
/** `current`: the lap that it stands in; absent: the same. */
const oldest = (lap: number, current = lap): JournalRecord => ({
  kind: 'oldestLap',
  lap,
  nextLapId: idOf(current + 1),
});

/** A file with one frame of each element, numbered from `first` on. */
function lapOf(lap: number, first: number, frames: readonly (readonly JournalRecord[])[]): Buffer {
  return Buffer.concat(
    frames.map((records, index) => {
      const sequence = first + index;
      return encodeFrame({ lap, lapId: idOf(lap), sequence, durableSequence: sequence - 1 }, records);
    }),
  );
}

const scan = (a: Buffer, b: Buffer = Buffer.alloc(0)) =>
  scanJournal([
    { path: 'a', bytes: a },
    { path: 'b', bytes: b },
  ]);
const namesOf = ({ writes }: ReturnType<typeof scan>): readonly string[] =>
  [...writes].map(([path, records]) => `${path}@${records.map(({ position }) => position).join()}`);

describe('what a start finds in the journal', () => {
  it('is nothing in files that are empty, or zeros', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(3 * STEP)]) {
      const found = scan(bytes);
      expect({ ...found, writes: namesOf(found) }).to.deep.equal({
        writes: [],
        nextLap: 1,
        nextSequence: 1,
        end: null,
        damage: null,
      });
    }
  });

  it('is what was written to each file, in its order, over both laps that count', () => {
    const found = scan(
      lapOf(4, 8, [[oldest(3)], [put('y', 9), put('x', 7)]]),
      lapOf(3, 5, [[oldest(3)], [put('x', 1), put('x', 4)], [put('z')]]),
    );
    expect(namesOf(found)).to.have.members(['x@1,4,7', 'y@9', 'z@0']);
    expect(found).to.include({ nextLap: 5, nextSequence: 10, damage: null });
    expect(found.end).to.include({ path: 'a', lap: 4, position: 2 * STEP });
  });

  it('is not what a file that was settled held before', () => {
    const found = scan(lapOf(1, 1, [[oldest(1)], [put('x', 1), put('y', 1)], [settled('x')], [put('x', 2)]]));
    expect(namesOf(found)).to.have.members(['y@1', 'x@2']);
  });

  it('is not what laps say that do not count any more', () => {
    const found = scan(
      lapOf(4, 8, [[oldest(3)], [oldest(4), put('y', 9)]]),
      lapOf(3, 5, [[oldest(2)], [put('x')], [put('z')]]),
    );
    expect(namesOf(found)).to.deep.equal(['y@9']);
    expect(found.damage).to.equal(null);
  });

  it('is nothing after a stop, which says that no lap counts', () => {
    const found = scan(lapOf(4, 8, [[oldest(4)], [put('x')], [oldest(5)]]));
    expect(namesOf(found)).to.deep.equal([]);
    expect(found).to.include({ nextLap: 5, damage: null });
  });

  it('ends at the first frame that is not whole, if none behind it says that it was on the disk', () => {
    const whole = lapOf(1, 1, [[oldest(1)], [put('x', 1)], [put('x', 2)]]);
    const beside = encodeFrame({ lap: 1, lapId: idOf(1), sequence: 4, durableSequence: 2 }, [put('x', 3)]);
    const bytes = Buffer.concat([whole, beside]);
    bytes.fill(0, 2 * STEP, 2 * STEP + 60);
    const found = scan(bytes);
    expect(namesOf(found)).to.deep.equal(['x@1']);
    expect(found).to.include({ damage: null, nextSequence: 5 });
  });

  it('R19: is damaged where a later frame says that one was on the disk which is not whole', () => {
    const bytes = lapOf(1, 1, [[oldest(1)], [put('x', 1)], [put('x', 2)], [put('x', 3)]]);
    bytes.fill(0, STEP, STEP + 60);
    expect(scan(bytes).damage).to.equal('a: ends at frame 1, and frame 3 was on the disk');
    const begin = lapOf(1, 1, [[oldest(1)], [put('x', 1)]]);
    begin.fill(0, 0, 60);
    expect(scan(begin).damage).to.equal('no lap of it begins any more');
  });

  it('R19: is damaged where the lap before, which counts, is not whole to where it was on the disk', () => {
    const newest = lapOf(4, 8, [[oldest(3)], [put('y', 9)]]);
    const before = lapOf(3, 5, [[oldest(3)], [put('x')], [put('z')]]);
    before.fill(0, 2 * STEP, 2 * STEP + 60);
    expect(scan(newest, before).damage).to.equal('b: ends at frame 6, and frame 8 was on the disk');
    before.fill(0, 0, 60);
    expect(scan(newest, before).damage).to.equal('lap 3 is not there');
  });

  it('ends at the end of the lap before, where the next one was on the disk sooner', () => {
    const begin = { lap: 4, lapId: idOf(4), sequence: 8, durableSequence: 6 };
    const newest = encodeFrame(begin, [oldest(3), put('y', 9)]);
    const before = lapOf(3, 5, [[oldest(3)], [put('x')], [put('z')]]);
    before.fill(0, 2 * STEP, 2 * STEP + 60);
    const found = scan(newest, before);
    expect(namesOf(found)).to.deep.equal(['x@0']);
    expect(found).to.include({ damage: null, nextLap: 5, nextSequence: 9 });
    expect(found.end).to.include({ path: 'a', position: STEP });
  });

  it('is not what a client wrote that looks like a frame, behind the end of a lap', () => {
    const forged = (lap: number, sequence: number, durableSequence: number): Buffer =>
      encodeFrame({ lap, lapId: idOf(9), sequence, durableSequence }, [put('forged')]);
    const life = lapOf(1, 1, [[oldest(1)], [put('x')]]);
    const found = scan(Buffer.concat([life, forged(1, 3, 2), forged(1, 900, 899)]));
    expect(namesOf(found)).to.deep.equal(['x@0']);
    expect(found).to.include({ damage: null, nextSequence: 3 });
    const newer = forged(1, 3, 2);
    newer.writeUInt16LE(2, 4);
    expect(scan(Buffer.concat([life, newer])).damage).to.equal(null);
  });

  it('R19: is damaged where the first frame of the newest lap has rotted, as later ones of that lap tell', () => {
    const before = lapOf(3, 5, [[oldest(3)], [put('x')]]);
    const newest = lapOf(4, 7, [[oldest(3, 4)], [put('y')]]);
    newest.fill(0, 0, 60);
    expect(scan(newest, before).damage).to.equal('b: ends at frame 6, and frame 7 was on the disk');
  });

  it('of a lap whose first frame tore is the lap before, with nothing that lay in the file of old', () => {
    const torn = lapOf(3, 9, [[oldest(2)], [put('z')]]).subarray(0, 30);
    const old = lapOf(1, 1, [[oldest(1)], [put('x')], [put('x')]]);
    torn.copy(old);
    old.fill(0, 30, STEP);
    const found = scan(old, lapOf(2, 4, [[oldest(1)], [oldest(2)], [put('y')]]));
    expect(namesOf(found)).to.deep.equal(['y@0']);
    expect(found).to.include({ nextLap: 3, damage: null });
  });

  it('ends at a word that a start wrote over something torn, whatever lies behind it', () => {
    const life = lapOf(1, 1, [[oldest(1)], [put('x', 1)], [put('x', 2)], [put('x', 3)]]);
    const word = encodeFrame({ lap: 1, lapId: idOf(1), sequence: 5, durableSequence: 0 }, [oldest(2)]);
    word.copy(life, 2 * STEP);
    const found = scan(life);
    expect(found.end).to.include({ position: 3 * STEP });
    expect(namesOf(found)).to.deep.equal([]);
    expect(found.damage).to.equal(null);
  });
});
