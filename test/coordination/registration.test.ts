import { expect } from 'chai';
import { encodeLastLives, encodeNode } from '../../src/coordination/documents.ts';
import { asIncarnation } from '../../src/model/numbers.ts';
import { ControlledCluster, type ScriptedNode } from '../support/controlled-cluster.ts';
import { node, nodes } from '../support/partition-states.ts';

const PATH = '/nodes/1';

async function prepared(): Promise<ControlledCluster> {
  const cluster = new ControlledCluster();
  await cluster.bootstrap(nodes(1));
  return cluster;
}

/** A registration that somebody else left, under a session of its own. */
async function leaveBehind(cluster: ControlledCluster, incarnation: number, directory = ''): Promise<number> {
  const session = cluster.coordinator.open();
  await cluster.clock.settle();
  const registration = { nodeId: node(1), incarnation: asIncarnation(incarnation), addresses: {}, rack: '' };
  await cluster.clock.until(session.create(PATH, encodeNode(registration, directory), { ephemeral: true }));
  return session.id;
}

const registeredLife = (cluster: ControlledCluster): unknown =>
  (cluster.coordinator.json(PATH) as { incarnation: unknown } | undefined)?.incarnation;

async function start(cluster: ControlledCluster): Promise<ScriptedNode> {
  const started = cluster.add(node(1));
  await cluster.clock.advance(500);
  return started;
}

describe('Registration', () => {
  it('registers this life and tells who is alive', async () => {
    const cluster = await prepared();
    const first = await start(cluster);
    cluster.add(node(2));
    await cluster.clock.advance(500);
    expect(registeredLife(cluster)).to.equal(first.incarnation);
    expect(first.nodes.map(({ nodeId, incarnation }) => [nodeId, incarnation])).to.deep.equal([
      [1, 1_000],
      [2, 2_000],
    ]);
    cluster.kill(2);
    cluster.expire(2);
    await cluster.clock.advance(500);
    expect(first.nodes.map(({ nodeId }) => nodeId)).to.deep.equal([1]);
  });

  it('KAFKA-7165: a registration whose reply was lost is recognised as ours', async () => {
    const cluster = await prepared();
    const only = cluster.add(node(1));
    let lost = 0;
    if (only.session !== null)
      only.session.fate = (operations) => {
        const isRegistration = operations.some(({ path }) => path === PATH);
        if (isRegistration) lost += 1;
        return isRegistration ? 'loseReply' : 'pass';
      };
    await cluster.clock.advance(500);
    expect(lost).to.equal(1);
    expect(only.registeredCount).to.be.greaterThan(0);
  });

  it('begins no life after the one it was told is the last', async () => {
    const cluster = await prepared();
    const only = await start(cluster);
    const { incarnation } = only;
    only.registration.openNoFurther();
    if (only.session !== null) cluster.coordinator.expire(only.session);
    await cluster.clock.advance(500);
    expect(only.incarnation).to.equal(incarnation);
    expect(only.registration.session).to.equal(null);
    expect(registeredLife(cluster)).to.equal(undefined);
    await cluster.clock.until(only.registration.stop());
    expect(only.fatal).to.deep.equal([]);
  });

  it('W9: what an earlier life of this directory left is removed at once', async () => {
    const cluster = await prepared();
    await leaveBehind(cluster, 999, 'directory-1');
    const only = await start(cluster);
    expect(registeredLife(cluster)).to.equal(1_000);
    expect(only.fatal).to.deep.equal([]);
  });

  it('W9: a foreign registration is complained about at once, and fatal when it stays', async () => {
    const cluster = await prepared();
    await leaveBehind(cluster, 5);
    const only = await start(cluster);
    expect(cluster.logger.texts('error').join()).to.contain('not of this data directory');
    expect(only.fatal).to.deep.equal([]);
    await cluster.clock.advance(10_000);
    expect(only.fatal.map(({ code }) => code)).to.deep.equal(['foreignDirectory']);
    expect(registeredLife(cluster)).to.equal(5);
    expect(only.registeredCount).to.equal(0);
  });

  it('W9: a life whose number is near, of another directory, is a foreign one', async () => {
    const cluster = await prepared();
    await leaveBehind(cluster, 999, 'directory-of-somebody-else');
    const only = await start(cluster);
    expect(registeredLife(cluster)).to.equal(999);
    await cluster.clock.advance(10_000);
    expect(only.fatal.map(({ code }) => code)).to.deep.equal(['foreignDirectory']);
  });

  it('W9: of two processes that live the same life one begins another', async () => {
    const cluster = await prepared();
    const session = cluster.coordinator.open();
    await cluster.clock.settle();
    const lives = { incarnations: { 1: asIncarnation(1_000) }, processes: { 1: 'another process' } };
    await cluster.clock.until(session.set('/nodes', encodeLastLives(lives), -1));
    const only = await start(cluster);
    expect(only.incarnation).to.be.greaterThan(1_000);
    expect(registeredLife(cluster)).to.equal(only.incarnation);
  });

  it('R5: a node with a new directory waits for the session of its old life to end', async () => {
    const cluster = await prepared();
    const session = await leaveBehind(cluster, 5);
    const only = await start(cluster);
    cluster.coordinator.forget(session);
    await cluster.clock.advance(500);
    expect(registeredLife(cluster)).to.equal(1_000);
    expect(only.fatal).to.deep.equal([]);
  });

  it('KAFKA-4229, 5473, W5: a lost session is followed by a new life, again and again', async () => {
    const cluster = await prepared();
    const only = await start(cluster);
    for (let life = 1_001; life < 1_005; life += 1) {
      if (only.session !== null) cluster.coordinator.expire(only.session);
      await cluster.clock.advance(500);
      expect(registeredLife(cluster)).to.equal(life);
      expect(only.reign, 'and reigns again').to.not.equal(null);
    }
  });

  it('KAFKA-5473: tries for ever while writes are lost', async () => {
    const cluster = await prepared();
    const only = cluster.add(node(1));
    if (only.session !== null) only.session.fate = () => 'loseRequest';
    await cluster.clock.advance(60_000);
    expect(registeredLife(cluster)).to.equal(undefined);
    if (only.session !== null) only.session.fate = () => 'pass';
    await cluster.clock.advance(500);
    expect(registeredLife(cluster)).to.equal(1_000);
  });

  it('a suspended session keeps its life', async () => {
    const cluster = await prepared();
    const only = await start(cluster);
    only.session?.disconnect();
    await cluster.clock.advance(500);
    only.session?.reconnect();
    await cluster.clock.advance(500);
    expect(registeredLife(cluster)).to.equal(1_000);
  });

  it('a registration that somebody removed comes back', async () => {
    const cluster = await prepared();
    await start(cluster);
    const { changes } = cluster.coordinator.tree.apply([{ kind: 'delete', path: PATH, version: -1 }], 0);
    cluster.coordinator.notify(changes);
    await cluster.clock.advance(500);
    expect(registeredLife(cluster)).to.equal(1_000);
  });

  it('is gone when the node stops, and does not come back', async () => {
    const cluster = await prepared();
    const only = await start(cluster);
    await cluster.clock.until(only.registration.stop());
    await cluster.clock.advance(2_000);
    expect(registeredLife(cluster)).to.equal(undefined);
  });
});
