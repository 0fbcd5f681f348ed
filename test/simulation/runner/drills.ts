import { type CheckedDocument, encodeDocument } from '../../../src/env/checked-document.ts';
import type { ErrorCode } from '../../../src/model/errors.ts';
import { BATCH_HEADER_BYTES } from '../../../src/storage/format/batch.ts';
import { continueCrc, crcOf } from '../../../src/storage/format/crc.ts';
import { writeUint16, writeUint32 } from '../../../src/storage/format/integers.ts';
import { SEGMENT_HEADER_BYTES } from '../../../src/storage/format/segment-header.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import { batchesOf, type PartitionFiles } from '../world/partition-files.ts';

export interface DrillScene {
  /** To be changed at will. */
  readonly files: PartitionFiles;
  /** Those of another partition; itself if there is only one. */
  readonly others: ReadonlyMap<string, Uint8Array>;
  readonly random: SeededRandom;
}

/** Something that was done to the files of a node that was shut down, and with what its start must refuse them, if it must. */
export interface Drill {
  /** Null: it starts all the same. */
  readonly expected: ErrorCode | null;
  /** Under a weak flush mode the end of a log is given up instead. */
  readonly onlyAlways?: true;
  /** False: nothing there to do it to. */
  readonly harm: (scene: DrillScene) => boolean;
}

const LATER_VERSION = 9;
const HEADER_CRC_AT = 92;

const logsOf = (files: ReadonlyMap<string, Uint8Array>): string[] =>
  [...files.keys()].filter((name) => name.endsWith('.log')).sort();

const hintsOf = (files: ReadonlyMap<string, Uint8Array>): string[] =>
  [...files.keys()].filter((name) => name.endsWith('.hint')).sort();

const activeOf = (files: ReadonlyMap<string, Uint8Array>): string => logsOf(files).at(-1) ?? '';

const sealedOf = ({ files, random }: DrillScene): string | null => {
  const sealed = logsOf(files).slice(0, -1);
  return sealed.length === 0 ? null : random.pick(sealed);
};

/** Changes a copy of a file; false: it is not there. */
function change({ files }: DrillScene, name: string | null, act: (bytes: Buffer) => boolean): boolean {
  const bytes = name === null ? undefined : files.get(name);
  if (name === null || bytes === undefined) return false;
  const copy = Buffer.from(bytes);
  if (!act(copy)) return false;
  files.set(name, copy);
  return true;
}

const flipping = (from: number, to: number, random: SeededRandom) => (bytes: Buffer) => {
  const at = from + random.below(to - from);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return true;
};

function rewritten(scene: DrillScene, name: string, fields: Partial<CheckedDocument>): boolean {
  const text = Buffer.from(scene.files.get(name) ?? []).toString('utf8');
  if (text === '') return false;
  const document = JSON.parse(text.slice(0, text.indexOf('\n'))) as CheckedDocument;
  scene.files.set(name, encodeDocument({ ...document, ...fields }));
  return true;
}

const holdsSomething = (files: ReadonlyMap<string, Uint8Array>): boolean =>
  logsOf(files).length > 1 || batchesOf(files.get(activeOf(files)) ?? new Uint8Array(0)).length > 0;

function batchOfLaterVersion(bytes: Buffer): boolean {
  const last = batchesOf(bytes).at(-1);
  if (last === undefined) return false;
  writeUint16(bytes, last.start + 4, LATER_VERSION);
  const crc = continueCrc(crcOf(bytes, last.start, last.start + 12), bytes, last.start + 16, last.end);
  writeUint32(bytes, last.start + 12, crc);
  return true;
}

export const DRILLS = {
  segmentMagicRots: {
    expected: 'corruptSegment',
    harm: (scene) => change(scene, scene.random.pick(logsOf(scene.files)), flipping(0, 8, scene.random)),
  },
  segmentHeaderRots: {
    expected: 'corruptSegment',
    harm: (scene) =>
      change(scene, scene.random.pick(logsOf(scene.files)), flipping(16, HEADER_CRC_AT, scene.random)),
  },
  segmentCutToNothing: {
    expected: 'corruptSegment',
    harm: ({ files, random }) => {
      files.set(activeOf(files), new Uint8Array(random.below(SEGMENT_HEADER_BYTES)));
      return true;
    },
  },
  segmentLost: {
    expected: 'corruptSegment',
    harm: ({ files, random }) => files.delete(random.pick(logsOf(files))),
  },
  segmentOfLaterVersion: {
    expected: 'futureFormat',
    harm: (scene) =>
      change(scene, scene.random.pick(logsOf(scene.files)), (bytes) => {
        writeUint16(bytes, 8, LATER_VERSION);
        writeUint32(bytes, HEADER_CRC_AT, crcOf(bytes, 0, HEADER_CRC_AT));
        return true;
      }),
  },
  segmentOfAnotherPartition: {
    expected: 'foreignDirectory',
    harm: ({ files, others }) => {
      const bytes = others.get(activeOf(others));
      if (bytes === undefined || bytes === files.get(activeOf(files))) return false;
      files.set(activeOf(files), bytes);
      return true;
    },
  },
  batchOfLaterVersion: {
    expected: 'futureFormat',
    harm: (scene) => change(scene, activeOf(scene.files), batchOfLaterVersion),
  },
  sealedBatchOfLaterVersion: {
    expected: 'futureFormat',
    harm: (scene) => {
      const name = sealedOf(scene);
      scene.files.delete(name?.replace(/log$/, 'hint') ?? '');
      return change(scene, name, batchOfLaterVersion);
    },
  },
  sealedBatchRots: {
    expected: 'corruptSegment',
    harm: (scene) => {
      const name = sealedOf(scene);
      scene.files.delete(name?.replace(/log$/, 'hint') ?? '');
      return change(scene, name, (bytes) =>
        bytes.length > SEGMENT_HEADER_BYTES
          ? flipping(SEGMENT_HEADER_BYTES, bytes.length, scene.random)(bytes)
          : false,
      );
    },
  },
  batchRotsInTheMiddle: {
    expected: 'corruptSegment',
    onlyAlways: true,
    harm: (scene) =>
      change(scene, activeOf(scene.files), (bytes) => {
        const before = batchesOf(bytes).slice(0, -1);
        if (before.length === 0) return false;
        const { start, end } = scene.random.pick(before);
        return flipping(start + BATCH_HEADER_BYTES, end, scene.random)(bytes);
      }),
  },
  lastBatchForgotten: {
    expected: 'corruptSegment',
    onlyAlways: true,
    harm: (scene) =>
      change(scene, activeOf(scene.files), (bytes) => {
        const last = batchesOf(bytes).at(-1);
        bytes.fill(0, last?.start, last?.end);
        return last !== undefined;
      }),
  },
  hintsRot: {
    expected: null,
    harm: (scene) =>
      hintsOf(scene.files)
        .map((name) => change(scene, name, (bytes) => flipping(0, bytes.length, scene.random)(bytes)))
        .some((isChanged) => isChanged),
  },
  hintsCutShort: {
    expected: null,
    harm: ({ files, random }) => {
      const names = hintsOf(files);
      for (const name of names) {
        const bytes = files.get(name) ?? new Uint8Array(0);
        files.set(name, bytes.slice(0, random.below(bytes.length)));
      }
      return names.length > 0;
    },
  },
  metaLost: { expected: 'corruptMetadata', harm: ({ files }) => files.delete('META') },
  metaOfAnotherPartition: {
    expected: 'foreignDirectory',
    harm: ({ files, others }) => {
      const bytes = others.get('META');
      if (bytes === undefined || bytes === files.get('META')) return false;
      files.set('META', bytes);
      return true;
    },
  },
  metaNeedsLaterFeature: {
    expected: 'futureFormat',
    harm: (scene) => rewritten(scene, 'META', { features: ['later'] }),
  },
  manifestLost: {
    expected: 'corruptMetadata',
    harm: ({ files }) => holdsSomething(files) && files.delete('MANIFEST'),
  },
  manifestOfLaterFormat: {
    expected: 'futureFormat',
    harm: (scene) => rewritten(scene, 'MANIFEST', { format: LATER_VERSION }),
  },
  epochsLost: {
    expected: 'corruptMetadata',
    harm: ({ files }) => holdsSomething(files) && files.delete('EPOCHS'),
  },
} as const satisfies Readonly<Record<string, Drill>>;

export type DrillName = keyof typeof DRILLS;
export const DRILL_NAMES = Object.keys(DRILLS) as readonly DrillName[];

export const drillOf = (name: DrillName): string => `drill ${name}`;
