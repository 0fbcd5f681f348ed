import { asNodeId } from '../model/numbers.ts';
import type { NodeRegistration } from '../model/partition-state.ts';
import type { CoordinatorSession } from './coordinator.ts';
import { decodeNode, idOfChild } from './documents.ts';
import { NODES_PATH, nodePath } from './paths.ts';

/** Null: not all of it could be read. A registration that cannot be understood is left out. */
export async function readLiveNodes(
  session: Pick<CoordinatorSession, 'read' | 'list'>,
): Promise<readonly NodeRegistration[] | null> {
  const names = await session.list(NODES_PATH);
  if (!names.ok) return null;
  const nodes: NodeRegistration[] = [];
  const ids = names.value.map(idOfChild).filter((id) => id !== undefined);
  for (const id of ids.sort((a, b) => a - b)) {
    const node = asNodeId(id);
    const read = await session.read(nodePath(node));
    if (!read.ok && read.failure !== 'noNode') return null;
    const decoded = read.ok ? decodeNode(node, read.value.data) : null;
    if (decoded?.ok) nodes.push(decoded.value);
  }
  return nodes;
}
