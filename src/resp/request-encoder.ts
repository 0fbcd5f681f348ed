import type { ArgumentViews } from './arguments.ts';

/** Encodes commands as RESP arrays of bulk strings: what a client sends. */
export type RequestArgument = string | Uint8Array;

export function encodeRequest(command: readonly RequestArgument[]): Buffer {
  return encodeRequests([command]);
}

/** Several commands as one pipeline. */
export function encodeRequests(commands: Iterable<readonly RequestArgument[]>): Buffer {
  const parts: Uint8Array[] = [];
  for (const command of commands) pushCommand(parts, command);
  return Buffer.concat(parts);
}

const LINE_END = Buffer.from('\r\n');

function pushCommand(parts: Uint8Array[], command: readonly RequestArgument[]): void {
  let header = `*${command.length}\r\n`;
  for (const argument of command) {
    const bytes = typeof argument === 'string' ? Buffer.from(argument) : argument;
    parts.push(Buffer.from(`${header}$${bytes.length}\r\n`), bytes, LINE_END);
    header = '';
  }
  if (header !== '') parts.push(Buffer.from(header));
}

/** A command's arguments as a request of its own: those that `indexes` names, in that order; null: all. */
export function encodeArguments(args: ArgumentViews, indexes: readonly number[] | null): Buffer {
  const count = indexes?.length ?? args.count;
  let length = headerLength(count);
  for (let at = 0; at < count; at += 1) {
    const bytes = args.length(indexes === null ? at : (indexes[at] as number));
    length += headerLength(bytes) + bytes + LINE_END.length;
  }
  const encoded = Buffer.allocUnsafe(length);
  let to = encoded.write(`*${count}\r\n`, 'latin1');
  for (let at = 0; at < count; at += 1) {
    const index = indexes === null ? at : (indexes[at] as number);
    to += encoded.write(`$${args.length(index)}\r\n`, to, 'latin1');
    to += args.bytes.copy(encoded, to, args.start(index), args.end(index));
    to += LINE_END.copy(encoded, to);
  }
  return encoded;
}

/** Of a type byte, a number and a line's end. */
function headerLength(value: number): number {
  let digits = 1;
  for (let bound = 10; bound <= value; bound *= 10) digits += 1;
  return digits + 3;
}
