/**
 * Text in which every character stands for one byte (latin1), so that output can be built by joining strings and
 * still holds exactly the bytes that were received.
 */
export type ByteText = string;

export const fromText = (text: string): ByteText => Buffer.from(text, 'utf8').toString('latin1');
export const fromBytes = (bytes: Buffer): ByteText => bytes.toString('latin1');
export const toBytes = (text: ByteText): Buffer => Buffer.from(text, 'latin1');
