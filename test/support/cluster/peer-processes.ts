import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Rows that come and go while the table is read make it leave out others. */
const LOOKS = 3;

/**
 * Whose connection comes from `remotePort` of 127.0.0.1, by what the kernel says of sockets and of the processes that
 * hold them. One process may know of a socket for a moment before its row can be read: then it is nobody's.
 */
export function processOfPort(remotePort: number, processIds: readonly number[]): number | null {
  for (let look = 0; look < LOOKS; look += 1) {
    const inodes = inodesOfPort(remotePort);
    const holder = processIds.find((id) => inodes.some((inode) => holdsSocket(id, inode)));
    if (holder !== undefined) return holder;
  }
  return null;
}

/** The port may have been that of other connections before, whose rows stay for a while. */
function inodesOfPort(port: number): readonly string[] {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  // IPv4 sockets of programs that use both families stand in the other table.
  const mapped = `0000000000000000FFFF00000100007F:${local.slice(9)}`;
  const rows = ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap((table) => readFileSync(table, 'utf8').split('\n'))
    .map((line) => line.trim().split(/\s+/));
  return rows
    .filter(([, address]) => address === local || address === mapped)
    .map((fields) => fields[9] ?? '');
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
