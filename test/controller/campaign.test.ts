import { expect } from 'chai';
import { ControlledCluster } from '../support/controlled-cluster.ts';
import { nodes } from '../support/partition-states.ts';

async function startCampaigns(): Promise<ControlledCluster> {
  const cluster = new ControlledCluster();
  await cluster.bootstrap(nodes(1, 2, 3));
  for (const id of nodes(1, 2, 3)) cluster.add(id);
  await cluster.clock.advance(500);
  return cluster;
}

const epochOf = (cluster: ControlledCluster): unknown =>
  (cluster.coordinator.json('/controller_epoch') as { controllerEpoch: unknown }).controllerEpoch;

describe('Campaign', () => {
  it('2.2: one of all reigns, everybody knows who, and the epoch is its own', async () => {
    const cluster = await startCampaigns();
    const { nodeId, reign } = cluster.reigning;
    expect(reign?.controllerEpoch).to.equal(epochOf(cluster));
    for (const node of cluster.nodes.values()) expect(node.reigning?.nodeId).to.equal(nodeId);
  });

  it('KAFKA-16667: nothing is read between the victory and a barrier', async () => {
    const cluster = new ControlledCluster();
    await cluster.bootstrap(nodes(1));
    const { session } = cluster.add(nodes(1)[0]!);
    if (session === null) throw new Error('no session');
    const calls: string[] = [];
    session.onCall = (call) => calls.push(call);
    await cluster.clock.advance(1_000);
    const relevant = calls.filter((call) => !call.includes('/nodes/1'));
    const victory = relevant.indexOf('multi /controller /controller_epoch');
    expect(relevant[victory + 1]).to.equal('barrier');
    expect(relevant.indexOf('read /cluster')).to.be.greaterThan(victory + 1);
  });

  it('W8: /controller_epoch is never at version 0 when it is checked', async () => {
    const cluster = await startCampaigns();
    expect(cluster.reigning.reign?.epochVersion).to.be.at.least(2);
    expect(cluster.coordinator.tree.get('/controller_epoch')?.version).to.equal(
      cluster.reigning.reign?.epochVersion,
    );
  });

  it('2.2: a victory whose reply was lost is found out', async () => {
    const cluster = new ControlledCluster();
    await cluster.bootstrap(nodes(1));
    const only = cluster.add(nodes(1)[0]!);
    let lost = 0;
    if (only.session !== null)
      only.session.fate = (operations) => {
        const isVictory = operations.some(({ path, kind }) => path === '/controller' && kind === 'create');
        if (isVictory) lost += 1;
        return isVictory ? 'loseReply' : 'pass';
      };
    await cluster.clock.advance(1_000);
    expect(lost).to.equal(1);
    expect(only.reign?.controllerEpoch).to.equal(epochOf(cluster));
  });

  it('a request that was lost is made again', async () => {
    const cluster = new ControlledCluster();
    await cluster.bootstrap(nodes(1));
    const only = cluster.add(nodes(1)[0]!);
    let left = 3;
    if (only.session !== null) only.session.fate = () => (left-- > 0 ? 'loseRequest' : 'pass');
    await cluster.clock.advance(2_000);
    expect(only.reign).to.not.equal(null);
  });

  it('the end of the session hands the reign to another, in a higher epoch', async () => {
    const cluster = await startCampaigns();
    const old = cluster.reigning;
    const epoch = old.reign?.controllerEpoch ?? 0;
    cluster.kill(old.nodeId);
    cluster.expire(old.nodeId);
    await cluster.clock.advance(500);
    expect(cluster.reigning).to.not.equal(old);
    expect(cluster.reigning.reign?.controllerEpoch).to.equal(epoch + 1);
  });

  it('R17: reigns above every reign it saw, whatever the coordinator forgot', async () => {
    const cluster = await startCampaigns();
    const early = cluster.coordinator.tree.get('/controller_epoch')?.text ?? '';
    for (let reign = 0; reign < 3; reign += 1) {
      const { session } = cluster.reigning;
      session?.disconnect();
      session?.reconnect();
      await cluster.clock.advance(500);
    }
    const { nodeId, reign } = cluster.reigning;
    cluster.setEpochOfCoordinator((JSON.parse(early) as { controllerEpoch: number }).controllerEpoch);
    cluster.kill(nodeId);
    cluster.expire(nodeId);
    await cluster.clock.advance(500);
    expect(cluster.reigning.reign?.controllerEpoch).to.be.greaterThan(reign?.controllerEpoch ?? 0);
  });

  it('W12: a suspended session ends the reign at once; the same node reigns again in a new epoch only', async () => {
    const cluster = await startCampaigns();
    const { reigning } = cluster;
    const epoch = reigning.reign?.controllerEpoch ?? 0;
    reigning.session?.disconnect();
    expect(reigning.reign).to.equal(null);
    expect(reigning.controller?.state.controllerEpoch).to.equal(null);
    reigning.session?.reconnect();
    await cluster.clock.advance(500);
    expect(cluster.reigning).to.equal(reigning);
    expect(reigning.reign?.controllerEpoch).to.equal(epoch + 1);
  });

  it('R7: the place of a controller whose process is gone is taken at once, the old one is fenced alive or not', async () => {
    const cluster = await startCampaigns();
    const old = cluster.reigning;
    const epoch = old.reign?.controllerEpoch ?? 0;
    const successor = [...cluster.nodes.values()].find((node) => node !== old);
    // The hint is wrong: it lives.
    successor?.campaign?.peerRefused(old.nodeId, old.incarnation);
    await cluster.clock.advance(100);
    expect(cluster.reigning).to.equal(successor);
    expect(cluster.reigning.reign?.controllerEpoch).to.equal(epoch + 1);
    expect(old.reign).to.equal(null);
  });

  it('R7: two that cannot reach each other, though both live, do not take turns', async () => {
    const cluster = await startCampaigns();
    const old = cluster.reigning;
    const epoch = old.reign?.controllerEpoch ?? 0;
    const other = [...cluster.nodes.values()].find((node) => node !== old) ?? old;
    for (let time = 0; time < 50; time += 1) {
      other.campaign?.peerRefused(old.nodeId, old.incarnation);
      old.campaign?.peerRefused(other.nodeId, other.incarnation);
      await cluster.clock.advance(100);
    }
    expect(cluster.reigning).to.equal(other);
    expect(other.reign?.controllerEpoch).to.equal(epoch + 1);
  });

  it('R7: a refused connection of a node that does not reign changes nothing', async () => {
    const cluster = await startCampaigns();
    const { reigning } = cluster;
    const [first, second] = [...cluster.nodes.values()].filter((node) => node !== reigning);
    if (second !== undefined) first?.campaign?.peerRefused(second.nodeId, second.incarnation);
    await cluster.clock.advance(500);
    expect(cluster.reigning).to.equal(reigning);
  });

  it('R7: a restarted controller does not wait for the session of its earlier life', async () => {
    const cluster = await startCampaigns();
    const old = cluster.reigning;
    const epoch = old.reign?.controllerEpoch ?? 0;
    cluster.kill(old.nodeId);
    const reborn = cluster.restart(old.nodeId);
    await cluster.clock.advance(500);
    expect(cluster.reigning).to.equal(reborn);
    expect(reborn.reign?.controllerEpoch).to.equal(epoch + 1);
  });

  it('two who hear of it at once: one takes the place', async () => {
    const cluster = await startCampaigns();
    const old = cluster.reigning;
    const epoch = old.reign?.controllerEpoch ?? 0;
    cluster.kill(old.nodeId);
    for (const node of cluster.nodes.values())
      if (node !== old) node.campaign?.peerRefused(old.nodeId, old.incarnation);
    await cluster.clock.advance(500);
    expect(cluster.reigning).to.not.equal(old);
    expect(cluster.reigning.reign?.controllerEpoch).to.equal(epoch + 1);
  });

  it('gives the reign back when it stops', async () => {
    const cluster = await startCampaigns();
    const old = cluster.reigning;
    await cluster.clock.until(old.campaign?.stop() ?? Promise.resolve());
    await cluster.clock.advance(500);
    expect(cluster.reigning).to.not.equal(old);
  });
});
