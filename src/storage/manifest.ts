import { join } from 'node:path';
import { readDocument, writeDocument } from '../env/checked-document.ts';
import type { FileSystem } from '../env/file-system.ts';
import { CaskadeError } from '../model/errors.ts';
import { asOffset, type Offset } from '../model/numbers.ts';

/** One segment file as the manifest names it. `end` and `length` of the active one are 0: its file says. */
export interface ManifestSegment {
  readonly base: Offset;
  readonly end: Offset;
  readonly generation: number;
  readonly length: number;
  readonly state: 'active' | 'sealed' | 'merged';
}

/** The truth about which files are the log (docs/FORMATS.md section 6). */
export interface Manifest {
  readonly format: number;
  readonly nextGeneration: number;
  /** Highest offset of any tombstone ever removed here; -1: none (PROTOCOL C5). */
  readonly removedFloor: number;
  readonly segments: readonly ManifestSegment[];
}

const FORMAT = 1;
export const MANIFEST_NAME = 'MANIFEST';
export const EMPTY_MANIFEST: Manifest = { format: FORMAT, nextGeneration: 1, removedFloor: -1, segments: [] };

export async function readManifest(fileSystem: FileSystem, directory: string): Promise<Manifest | null> {
  const path = join(directory, MANIFEST_NAME);
  const document = await readDocument(fileSystem, path, FORMAT);
  if (document === null) return null;
  const manifest = document as unknown as Manifest;
  const fault = faultOf(manifest);
  if (fault !== null) throw new CaskadeError('corruptMetadata', `${path}: ${fault}`);
  return manifest;
}

export async function writeManifest(
  fileSystem: FileSystem,
  directory: string,
  manifest: Manifest,
  renaming?: () => void,
): Promise<void> {
  const fault = faultOf(manifest);
  if (fault !== null) throw new CaskadeError('corruptMetadata', `refusing to write the manifest: ${fault}`);
  await writeDocument(fileSystem, join(directory, MANIFEST_NAME), { ...manifest }, renaming);
}

/** Segments cover the log without a gap or an overlap, in order, and exactly the last one is active. */
function faultOf(manifest: Manifest): string | null {
  const segments: readonly ManifestSegment[] | undefined = manifest.segments;
  if (segments === undefined || segments.length === 0) return 'it names no segment';
  let expected = segments[0]?.base;
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment.base !== expected) return `segment ${index} begins at ${segment.base}, expected ${expected}`;
    if ((segment.state === 'active') !== isLast) return `segment ${index} is ${segment.state}`;
    if (!isLast && segment.end < segment.base) return `segment ${index} ends before it begins`;
    if (segment.generation >= manifest.nextGeneration)
      return `segment ${index} has a generation of the future`;
    expected = asOffset(segment.end);
  }
  return null;
}

export function segmentStem(base: Offset, generation: number): string {
  return `${String(base).padStart(20, '0')}-${String(generation).padStart(10, '0')}`;
}

export const segmentFileName = (base: Offset, generation: number): string =>
  `${segmentStem(base, generation)}.log`;
export const hintFileName = (base: Offset, generation: number): string =>
  `${segmentStem(base, generation)}.hint`;
