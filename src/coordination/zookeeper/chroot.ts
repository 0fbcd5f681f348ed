import type { Outcome } from '../coordinator.ts';
import type { EncodedOperation, NodeStat } from './zookeeper-client.ts';

/** The two requests that making the root takes. */
export interface ChrootDoors {
  stat(path: string): Promise<Outcome<NodeStat | null>>;
  commit(parts: readonly EncodedOperation[]): Promise<Outcome<readonly number[]>>;
}

/** The path of a node below the chroot, as the server knows it. */
export function absolutePath(chroot: string, path: string): string {
  if (path !== '/') return chroot + path;
  return chroot === '' ? '/' : chroot;
}

/**
 * Makes the chroot where it is missing. Its last part is ours alone, if we authenticate; those above may be shared with
 * others, and are not. False: not now.
 */
export async function makeChroot(chroot: string, doors: ChrootDoors): Promise<boolean> {
  if (chroot === '') return true;
  const found = await doors.stat(chroot);
  if (!found.ok || found.value !== null) return found.ok;
  const names = chroot.slice(1).split('/');
  for (const [index] of names.entries()) {
    const path = `/${names.slice(0, index + 1).join('/')}`;
    const isOurs = index === names.length - 1;
    const bytes = Buffer.alloc(0);
    const created = await doors.commit([{ kind: 'create', path, bytes, ephemeral: false, isOurs }]);
    if (!created.ok && created.failure !== 'nodeExists') return false;
  }
  return true;
}
