import { BinaryWriter } from '@bufbuild/protobuf/wire';

const TWO_TO_28 = 2 ** 28;
const UINT32_MAX = 0xffff_ffff;

/** The library's writer takes numbers of 64 bits over BigInt, which is most of what a small message costs. */
class MessageWriter extends BinaryWriter {
  readonly #low = new Uint8Array(4);

  override uint64(value: string | number | bigint): this {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) return super.uint64(value);
    return value <= UINT32_MAX ? this.uint32(value) : this.#large(value);
  }

  /** Its lowest 28 bits, in four bytes that say that more follows, and the rest, which has 25 at most. */
  #large(value: number): this {
    const low = value % TWO_TO_28;
    for (let index = 0; index < 4; index += 1) this.#low[index] = ((low >>> (7 * index)) & 0x7f) | 0x80;
    return this.raw(this.#low).uint32((value - low) / TWO_TO_28);
  }
}

interface Encoder<Message> {
  encode(message: Message, writer: BinaryWriter): BinaryWriter;
}

/** The idle writer keeps the memory of the largest message, up to about this. */
const KEPT_BYTES_MAX = 64 * 1024;

/** Null: one is at work, or failed and has written a part. */
let idle: MessageWriter | null = null;

/** The bytes of a message. Throws for a value that its field does not take. */
export function encodeMessage<Message>(encoder: Encoder<Message>, message: Message): Uint8Array<ArrayBuffer> {
  const writer = idle ?? new MessageWriter();
  idle = null;
  const bytes = encoder.encode(message, writer).finish();
  if (bytes.length <= KEPT_BYTES_MAX) idle = writer;
  return bytes;
}
