import { expect } from 'chai';
import { asNodeId, type NodeId } from '../../../src/model/numbers.ts';
import { openWorld } from '../../simulation/world/open-world.ts';
import type { World } from '../../simulation/world/world.ts';
import { P0 } from '../../simulation/world/world-writes.ts';
import { WorldStreams } from '../../support/world-forwarding.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e'];
const PATIENCE_MS = 8000;

/** Told for a command; '' while it is not answered: for ever, if the node that was asked is killed. */
interface Told {
  readonly key: string;
  reply: string;
}

describe('three nodes behind their plain listeners (R23)', function () {
  this.timeout(120_000);
  let world: World;
  let streams: WorldStreams;
  let told: Told[];
  let isStopped: boolean;

  beforeEach(async () => {
    world = openWorld({ seed: 33, lossShare: 0, doubledShare: 0, reorderedShare: 0, partitionCount: 3 });
    await world.start();
    streams = new WorldStreams(world, PATIENCE_MS);
    told = [];
    isStopped = false;
  });

  afterEach(() => {
    expect(world.defects).deep.equal([]);
    world.end();
  });

  function ask(node: NodeId, words: readonly string[], answered: (reply: string) => void): void {
    world.request<string>({
      to: node,
      work: (live, respond) => streams.at(live).run(words, respond),
      answered,
      failed: (how) => answered(`-${how}`),
    });
  }

  async function asked(node: NodeId, ...words: string[]): Promise<string> {
    let reply = '';
    ask(node, words, (text) => {
      reply = text;
    });
    await world.runUntil(() => reply !== '', PATIENCE_MS + 2000, 1);
    return reply;
  }

  /** A client that counts, one key after the other, through one node. */
  function count(node: NodeId, at = 0): void {
    if (isStopped) return;
    const key = KEYS[at % KEYS.length] as string;
    const one: Told = { key, reply: '' };
    told.push(one);
    ask(node, ['INCR', key], (reply) => {
      one.reply = reply;
      world.after(1, () => count(node, at + 1));
    });
  }

  async function stopCounting(): Promise<void> {
    isStopped = true;
    await world.run(PATIENCE_MS + 1000);
  }

  /** Each count that was answered is one of its own, and the sum is that of the answers; unless some are in doubt. */
  async function checkCounts(): Promise<void> {
    for (const key of KEYS) {
      const replies = told.filter((one) => one.key === key).map(({ reply }) => reply);
      const done = replies.filter((reply) => reply.startsWith(':')).map((reply) => Number(reply.slice(1)));
      const unknown = replies.filter((reply) => reply === '' || /^-(broken|INDOUBT)/.test(reply)).length;
      expect(new Set(done).size, `counts of ${key}`).equal(done.length);
      for (const id of [1, 2, 3]) {
        const value = Number(/\r\n(\d+)\r\n$/.exec(await asked(asNodeId(id), 'GET', key))?.[1] ?? 0);
        expect(value, `${key} through node ${id}`).within(done.length, done.length + unknown);
      }
    }
  }

  const others = (than: NodeId | null): NodeId[] =>
    world.nodes.map(({ id }) => id).filter((id) => id !== than);

  it('run every command through any node', async () => {
    const [one, two, three] = [1, 2, 3].map(asNodeId) as [NodeId, NodeId, NodeId];
    for (const key of KEYS) expect(await asked(one, 'SET', key, `of ${key}`)).equal('+OK\r\n');
    for (const id of [one, two, three]) {
      for (const key of KEYS) expect(await asked(id, 'GET', key)).equal(`$4\r\nof ${key}\r\n`);
      expect(await asked(id, 'DBSIZE')).equal(`:${KEYS.length}\r\n`);
      expect(await asked(id, 'EXISTS', ...KEYS, 'none')).equal(`:${KEYS.length}\r\n`);
      expect(await asked(id, 'MGET', 'e', 'none', 'a')).equal('*3\r\n$4\r\nof e\r\n$-1\r\n$4\r\nof a\r\n');
    }
    expect(await asked(two, 'DEL', 'a', 'b', 'c')).equal(':3\r\n');
    expect(await asked(three, 'FLUSHALL')).equal('+OK\r\n');
    expect(await asked(one, 'DBSIZE')).equal(':0\r\n');
    expect(streams.sentCount).greaterThan(10);
  });

  it('lose nothing and double nothing when streams break and a leader is killed: who asks another node hears of no doubt', async () => {
    const leader = world.leader(P0);
    for (const id of others(leader)) for (let client = 0; client < 3; client += 1) count(id, client);
    for (let round = 0; round < 8; round += 1) {
      await world.run(50);
      streams.breakAll();
    }
    world.node(leader as NodeId).kill('loseAll');
    await world.run(3000);
    world.node(leader as NodeId).restart();
    await world.run(2000);
    await stopCounting();
    expect(told.length).greaterThan(500);
    expect(told.filter(({ reply }) => !reply.startsWith(':')).map(({ reply }) => reply)).deep.equal([]);
    await checkCounts();
  });

  it('lose nothing and double nothing in one change of leader after the other, whoever is asked', async () => {
    for (const id of others(null)) for (let client = 0; client < 2; client += 1) count(id, client);
    for (let change = 0; change < 4; change += 1) {
      await world.run(700);
      const victim = world.leader(P0) ?? asNodeId(1);
      if (change % 2 === 0) world.node(victim).kill('loseAll');
      else world.fire('sessionExpiry', victim);
      await world.run(1500);
      if (!world.node(victim).isUp) world.node(victim).restart();
      await world.runUntil(() => world.isStable(), 6000);
    }
    await stopCounting();
    expect(told.filter(({ reply }) => reply.startsWith(':')).length).greaterThan(500);
    await checkCounts();
  });
});
