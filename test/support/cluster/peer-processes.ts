import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Whose connection comes from `remotePort` of 127.0.0.1, by what the kernel says of sockets and of the processes that
 * hold them. One process may know of a socket for a moment before its row can be read: then it is nobody's.
 */
export function processOfPort(remotePort: number, processIds: readonly number[]): number | null {
  const inode = inodeOfPort(remotePort);
  if (inode === null) return null;
  return processIds.find((processId) => holdsSocket(processId, inode)) ?? null;
}

function inodeOfPort(port: number): string | null {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  // IPv4 sockets of programs that use both families stand in the other table.
  const mapped = `0000000000000000FFFF00000100007F:${local.slice(9)}`;
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(table, 'utf8').split('\n')) {
      const fields = line.trim().split(/\s+/);
      if (fields[1] === local || fields[1] === mapped) return fields[9] ?? null;
    }
  }
  return null;
}

function holdsSocket(processId: number, inode: string): boolean {
  const directory = `/proc/${processId}/fd`;
  try {
    return readdirSync(directory).some((name) => linkOf(`${directory}/${name}`) === `socket:[${inode}]`);
  } catch {
    return false;
  }
}

/** A descriptor may be closed between the listing and the look. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
