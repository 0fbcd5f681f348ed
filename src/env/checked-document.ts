import { crc32 } from 'node:zlib';
import { CaskadeError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import type { FileSystem } from './file-system.ts';
import { readWholeFile, replaceFile } from './replace-file.ts';

/**
 * A checked document: one line of JSON and its CRC (docs/FORMATS.md section 5). Fields that this version does not know
 * survive a rewrite, because writers spread what they read.
 */
export interface CheckedDocument {
  readonly format: number;
  readonly [field: string]: unknown;
}

export function encodeDocument(document: CheckedDocument): Buffer {
  const line = Buffer.from(JSON.stringify(document), 'utf8');
  const crc = crc32(line).toString(16).padStart(8, '0');
  return Buffer.concat([line, Buffer.from(`\n${crc}\n`, 'latin1')]);
}

/** Decodes a document and refuses a wrong checksum (`corruptMetadata`) and a newer format (`futureFormat`). */
export function decodeDocument(bytes: Buffer, path: string, formatKnown: number): CheckedDocument {
  const end = bytes.indexOf(10);
  const crc = end < 0 ? '' : bytes.toString('latin1', end + 1).trim();
  if (end < 0 || Number.parseInt(crc, 16) !== crc32(bytes.subarray(0, end))) {
    throw new CaskadeError(
      'corruptMetadata',
      `${path}: fails its checksum; restore the file from a backup of this directory, or rebuild the node`,
    );
  }
  const document = parseObject(bytes.toString('utf8', 0, end), path);
  if (!Number.isSafeInteger(document.format) || document.format > formatKnown) {
    throw new CaskadeError(
      'futureFormat',
      `${path}: format ${String(document.format)} was written by a newer Caskade; this one reads up to ${formatKnown}. Start the newer version`,
    );
  }
  return document;
}

function parseObject(line: string, path: string): CheckedDocument {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as CheckedDocument;
  } catch (error) {
    throw new CaskadeError('corruptMetadata', `${path}: is not JSON although its checksum holds`, {
      cause: error,
    });
  }
  throw new CaskadeError('corruptMetadata', `${path}: holds no JSON object although its checksum holds`);
}

export async function readDocument(
  fileSystem: FileSystem,
  path: string,
  formatKnown: number,
): Promise<CheckedDocument | null> {
  if (!(await fileSystem.exists(path))) return null;
  const bytes = await readWholeFile(fileSystem, path, LIMITS.documentBytesMax);
  return decodeDocument(Buffer.from(bytes), path, formatKnown);
}

export async function writeDocument(
  fileSystem: FileSystem,
  path: string,
  document: CheckedDocument,
  renaming?: () => void,
): Promise<void> {
  await replaceFile(fileSystem, path, encodeDocument(document), renaming);
}
