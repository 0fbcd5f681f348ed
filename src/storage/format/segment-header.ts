import { CaskadeError } from '../../model/errors.ts';
import { asOffset, type Offset } from '../../model/numbers.ts';
import { crcOf } from './crc.ts';
import { readUint16, readUint32, readUint64, writeUint16, writeUint32, writeUint64 } from './integers.ts';

/** The segment header of docs/FORMATS.md section 2. */
export const SEGMENT_HEADER_BYTES = 96;
const MAGIC = Buffer.from('CSKDSEG\n', 'latin1');
const VERSION = 1;

export interface SegmentIdentity {
  /** 32 hexadecimal digits. */
  readonly partitionUuid: string;
  /** 32 hexadecimal digits. */
  readonly directoryId: string;
  readonly baseOffset: Offset;
  readonly generation: number;
}

export function encodeSegmentHeader(identity: SegmentIdentity, createdAtMs: number): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes);
  writeUint16(bytes, 8, VERSION);
  writeUint16(bytes, 10, SEGMENT_HEADER_BYTES);
  bytes.write(identity.partitionUuid, 16, 'hex');
  bytes.write(identity.directoryId, 32, 'hex');
  writeUint64(bytes, 48, identity.baseOffset);
  writeUint64(bytes, 56, identity.generation);
  writeUint64(bytes, 64, createdAtMs);
  writeUint32(bytes, 92, crcOf(bytes, 0, 92));
  return bytes;
}

/** Checks the header of the file at `path`; throws what is wrong with it. */
export function decodeSegmentHeader(bytes: Buffer, path: string): SegmentIdentity {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) {
    throw new CaskadeError(
      'corruptSegment',
      `${path}: not a segment file: its first 8 bytes are not the magic`,
    );
  }
  if (readUint32(bytes, 92) !== crcOf(bytes, 0, 92)) {
    throw new CaskadeError('corruptSegment', `${path}: position 0: the segment header fails its checksum`);
  }
  const version = readUint16(bytes, 8);
  if (version !== VERSION || readUint32(bytes, 12) >>> 16 !== 0) {
    throw new CaskadeError(
      'futureFormat',
      `${path}: segment format ${version} was written by a newer Caskade; this one reads format ${VERSION}. Start the newer version`,
    );
  }
  return {
    partitionUuid: bytes.toString('hex', 16, 32),
    directoryId: bytes.toString('hex', 32, 48),
    baseOffset: asOffset(readUint64(bytes, 48)),
    generation: readUint64(bytes, 56),
  };
}
