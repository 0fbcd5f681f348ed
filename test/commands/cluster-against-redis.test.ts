import { expect } from 'chai';
import type { Reply } from '../../src/resp/reply.ts';
import { ReplyDecoder } from '../../src/resp/reply-decoder.ts';
import { FakeCluster } from '../support/fake-cluster.ts';
import { Harness } from './harness.ts';
import { RedisClusterOracle } from './redis-cluster-oracle.ts';
import type { RedisOracle } from './redis-oracle.ts';

/** Keys in slots of node 1, 2 and 3, in both clusters. */
const [MINE, SAME, OTHER, THIRD] = ['bar', '{bar}2', 'hello', 'foo'];

/** Commands at node 1 whose replies are the same, but for names of nodes and their ports. */
const SCRIPT = `
  cluster | cluster foo | cluster info x | cluster slots x | cluster keyslot | cluster keyslot foo | cluster keyslot {a}b
  cluster keyslot foo{} | cluster keyslot '' | cluster countkeysinslot x | cluster countkeysinslot 16384 | cluster countkeysinslot -1
  cluster countkeysinslot 12182 | cluster getkeysinslot x 1 | cluster getkeysinslot 1 x | cluster getkeysinslot 1 -1
  cluster getkeysinslot 16384 1 | cluster getkeysinslot 12182 10 | cluster replicas nobody | cluster slaves nobody | cluster replicas
  cluster meet | cluster forget | cluster addslots | cluster setslot 1 | cluster shards x | cluster links x | cluster myid x
  readonly | readwrite | asking | readonly x | readwrite x | asking x | select 0 | select 1 | select x
  set ${MINE} 1 | get ${MINE} | mset ${MINE} 1 ${SAME} 2 | mget ${MINE} ${SAME} | del ${MINE} ${SAME} | set ${MINE} 1
  cluster countkeysinslot 5061 | cluster getkeysinslot 5061 10 | cluster getkeysinslot 5061 0 | dbsize | keys * | scan 0
  get ${OTHER} | set ${OTHER} 1 | set ${THIRD} 1 | incr ${THIRD} | del ${OTHER} | exists ${THIRD} ${THIRD} | ttl ${OTHER}
  mget ${MINE} ${OTHER} | mset ${MINE} 1 ${OTHER} 2 | del ${OTHER} ${THIRD} | exists ${MINE} ${THIRD} | unlink ${MINE} ${OTHER}
  mset ${MINE} | mset ${MINE} 1 ${OTHER} | get | get ${OTHER} x | set ${OTHER} 1 nx xx | readonly | get ${OTHER} | set ${OTHER} 1
  asking | get ${OTHER} | wait 0 0 | wait x 1 | wait 0 x | wait 0 -1 | wait 0 | type ${OTHER} | append ${THIRD} x | getdel ${THIRD}
  cluster slots | cluster shards | cluster nodes | cluster myid | flushall | dbsize`;

function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? (match[2] as string));
}

const COMMANDS = SCRIPT.split(/[|\n]/)
  .map((line) => line.trim())
  .filter((line) => line !== '')
  .map(wordsOf);

/** A reply as JSON: kind and content. */
function plain(reply: Reply): unknown {
  switch (reply.kind) {
    case 'bulk':
      return { bulk: reply.bytes.toString('latin1') };
    case 'verbatim':
      return { verbatim: reply.bytes.toString('latin1') };
    default:
      return JSON.parse(
        JSON.stringify(reply, (_, value: unknown) => (isReply(value, reply) ? plain(value) : value)),
      );
  }
}

function isReply(value: unknown, parent: Reply): value is Reply {
  return typeof value === 'object' && value !== null && 'kind' in value && value !== parent;
}

/** Nodes by number instead of name and port; times, offsets and epochs away; lists whose order means nothing in order. */
function normalised(text: string, names: readonly string[], ports: readonly number[]): unknown {
  const decoder = new ReplyDecoder();
  decoder.feed(Buffer.from(text, 'latin1'));
  let json = JSON.stringify(plain(decoder.next() as Reply));
  for (const [index, name] of names.entries()) json = json.replaceAll(name, `<node ${index + 1}>`);
  for (const [index, port] of ports.entries())
    json = json
      .replaceAll(`"value":${port}`, `"value":"<port ${index + 1}>"`)
      .replaceAll(`:${port}`, `:<port ${index + 1}>`);
  json = json.replaceAll(/@\d+ (\S+) - \d+ \d+ \d+ /g, '@<bus> $1 - <ping> <pong> <epoch> ');
  json = json.replace(
    /("replication-offset"\},)?\{"kind":"integer","value":\d+\}/g,
    (found, offset?: string) => (offset === undefined ? found : `${offset}"<offset>"`),
  );
  return sorted(JSON.parse(json));
}

/** CLUSTER NODES and SHARDS come in any order. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { bulk, verbatim, items } = value as { bulk?: string; verbatim?: string; items?: unknown[] };
  const text = verbatim ?? bulk;
  if (text?.includes('<bus>')) return text.split('\n').sort();
  if (items?.every((item) => JSON.stringify(item).includes('replication-offset')))
    return items.map((item) => JSON.stringify(item)).sort();
  return value;
}

describe('beside Redis Cluster', () => {
  const cluster = new FakeCluster();
  const ourPorts = [7001, 7002, 7003];
  let oracle: RedisClusterOracle;
  let first: RedisOracle;
  let theirNames: string[];

  before(async function () {
    this.timeout(30_000);
    oracle = await RedisClusterOracle.start(cluster.facts.slots.map(([from, to]) => [from, to] as const));
    first = oracle.nodes[0] as RedisOracle;
    theirNames = await Promise.all(
      oracle.nodes.map(async (node) => (await node.run('cluster', 'myid')).split('\r\n')[1] as string),
    );
  });
  after(() => oracle?.stop());

  const ourNames = cluster.nodes.map(
    (_, index) => new Harness({ node: cluster.node(index + 1) }).run('cluster', 'myid').split('\r\n')[1],
  ) as string[];

  for (const version of ['2', '3']) {
    it(`answers the same, in RESP${version}`, async () => {
      const client = new Harness({ node: cluster.node(1) });
      for (const words of [['flushall'], ['hello', version]]) client.run(...words);
      await first.runAll([['flushall'], ['hello', version]]);
      const theirs = await first.runAll(COMMANDS);
      const theirPorts = oracle.nodes.map(({ port }) => port);
      for (const [index, words] of COMMANDS.entries()) {
        const ours = normalised(client.run(...words), ourNames, ourPorts);
        const expected = normalised(theirs[index] as string, theirNames, theirPorts);
        expect(ours, words.join(' ')).to.deep.equal(expected);
      }
    });
  }

  it('has the fields of CLUSTER INFO that are not about gossip, with the same values', async () => {
    const ours = infoOf(new Harness({ node: cluster.node(1) }).run('cluster', 'info'));
    await first.run('hello', '2');
    const theirs = infoOf(await first.run('cluster', 'info'));
    for (const name of theirs.keys()) {
      if (name.includes('_messages_') || name.endsWith('_epoch')) continue;
      expect(ours.get(name), name).to.equal(theirs.get(name));
    }
  });

  it('says in HELLO and INFO that it is a cluster', async () => {
    const client = new Harness({ node: cluster.node(1) });
    for (const words of [
      ['hello', '2'],
      ['info', 'server'],
      ['info', 'cluster'],
    ]) {
      const ours = client.run(...words);
      const theirs = await first.run(...words);
      for (const text of ['cluster_enabled:1', 'redis_mode:cluster', '$4\r\nmode\r\n$7\r\ncluster\r\n'])
        expect(ours.includes(text), `${words.join(' ')}: ${text}`).to.equal(theirs.includes(text));
    }
  });

  it('describes a connection between nodes by the same fields', async () => {
    const node = cluster.node(1);
    node.links = [{ node: cluster.node(2).id, direction: 'to', createdAtMs: 1 as never, unsentBytes: 0 }];
    const names = ['direction', 'node', 'create-time', 'events', 'send-buffer-allocated', 'send-buffer-used'];
    const inOrder = (text: string): string[] =>
      text
        .split('\r\n')
        .filter((word) => names.includes(word))
        .slice(0, names.length);
    expect(inOrder(new Harness({ node }).run('cluster', 'links'))).to.deep.equal(names);
    expect(inOrder(await first.run('cluster', 'links'))).to.deep.equal(names);
  });
});

function infoOf(text: string): Map<string, string> {
  const pairs = text.split('\r\n').filter((line) => /^[a-z]\w*:/.test(line));
  return new Map(pairs.map((line) => line.split(':') as [string, string]));
}
