import { RespClient } from '../../src/cli/resp-client.ts';
import type { Address } from '../../src/config/address.ts';
import type { Reply } from '../../src/resp/reply.ts';

const ANSWER_MS_MAX = 2_000;

/** The first reply to one command on a connection of its own; null where none comes. */
export async function askOnce(address: Address, command: readonly string[]): Promise<Reply | null> {
  try {
    const client = await RespClient.connect(address, { timeoutMs: ANSWER_MS_MAX });
    const timer = setTimeout(() => client.close(), ANSWER_MS_MAX);
    try {
      return await client.request(command);
    } finally {
      clearTimeout(timer);
      client.close();
    }
  } catch {
    return null;
  }
}

/** What `CLUSTER INFO` of a node says of all slots: `ok` when each has a leader. Null: it does not say. */
export async function clusterStateOf(address: Address): Promise<string | null> {
  const reply = await askOnce(address, ['CLUSTER', 'INFO']);
  return reply === null ? null : stateIn(textOf(reply));
}

export function stateIn(info: string): string | null {
  return /^cluster_state:(\w+)/m.exec(info)?.[1] ?? null;
}

function textOf(reply: Reply): string {
  if (reply.kind === 'bulk' || reply.kind === 'verbatim') return reply.bytes.toString();
  return reply.kind === 'simple' ? reply.text : '';
}
