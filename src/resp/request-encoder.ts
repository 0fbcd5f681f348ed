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
