import { expect } from 'chai';
import type { NodeId } from '../../../src/model/numbers.ts';
import { SEGMENT_HEADER_BYTES } from '../../../src/storage/format/segment-header.ts';
import { readPartitionMeta } from '../../../src/storage/partition-meta.ts';
import type { LiveNode } from '../world/world.ts';
import { ClusterScript } from './cluster-script.ts';
import { P0 } from './script-stage.ts';

/** More than one fetch brings. */
const FETCH_BYTES = 40_000;
const SLOW = { lossShare: 0, doubledShare: 0, reorderedShare: 0, slownessMs: 40 } as const;

/** Everybody has K, in a segment of its own. */
async function keyInOwnSegment(script: ClusterScript, key: string, value: string): Promise<void> {
  await script.mustSet(key, value);
  await script.rollAll();
}

interface Rebuild {
  readonly directoryId: string;
  readonly logPath: string;
}

const ROOT = '/data/partitions';

/** What a node fills beside the directory that counts; null: nothing yet. */
async function rebuildIn({ cluster: { replicas } }: LiveNode): Promise<Rebuild | null> {
  const { fileSystem } = replicas.doors;
  const counts = replicas.nodeState.partition(P0)?.directory;
  const name = (await fileSystem.list(ROOT)).find((each) => each !== counts);
  if (name === undefined) return null;
  const meta = await readPartitionMeta(fileSystem, `${ROOT}/${name}`);
  const log = (await fileSystem.list(`${ROOT}/${name}`)).find((each) => each.endsWith('.log'));
  if (meta === null || log === undefined) return null;
  return { directoryId: meta.directoryId, logPath: `${ROOT}/${name}/${log}` };
}

/** Once it has taken something from its leader. Returns the id of the directory. */
async function untilRebuilding(script: ClusterScript, id: NodeId): Promise<string> {
  const { faulty } = script.node(id).machine.disk;
  let found: Rebuild | null = null;
  while (found === null) found = await script.onNode(id, rebuildIn);
  const { directoryId, logPath } = found;
  await script.until('it has taken something', () => {
    const records = faulty.contentOf(logPath)?.subarray(SEGMENT_HEADER_BYTES) ?? [];
    return records.some((byte) => byte !== 0);
  });
  return directoryId;
}

describe('a deleted key stays deleted in a cluster (PROTOCOL 3.4)', () => {
  it('(a) a replica merges only the file of the tombstone, restarts and is elected', () =>
    ClusterScript.play({ seed: 301 }, async (script) => {
      await keyInOwnSegment(script, 'K', 'old');
      await script.mustDelete('K');
      await script.rollAll();
      const [first] = script.pair;
      await script.merge(first, 1, 1);
      script.kill(first);
      script.start(first);
      await script.lead(first);
      expect(await script.get('K')).to.equal('nil');
      // And for good, once the prefix is merged and the tombstone itself goes.
      await script.merge(first);
      expect(script.store(first).removedFloor).to.be.at.least(0);
      script.kill(first, 'loseAll');
      script.start(first);
      await script.lead(first);
      expect(await script.get('K')).to.equal('nil');
    }));

  it('(b) a follower that slept through the delete must resync from a leader without the tombstone, and is then elected', () =>
    ClusterScript.play({ seed: 302 }, async (script) => {
      await keyInOwnSegment(script, 'K', 'old');
      const { leader } = script;
      const [awake, asleep] = script.pair;
      const directory = script.store(asleep).directoryId;
      script.kill(asleep);
      await script.untilInSync([leader, awake]);
      await script.mustDelete('K');
      await script.untilLevel();
      for (const node of [leader, awake]) {
        await script.roll(node);
        await script.merge(node);
        expect(script.store(node).removedFloor).to.be.at.least(0);
      }
      script.start(asleep);
      await script.untilStable();
      expect(script.store(asleep).directoryId).not.to.equal(directory);
      await script.lead(asleep);
      expect(await script.get('K')).to.equal('nil');
    }));

  it('(c) a learner that took the value from one leader goes on at another that has removed the tombstone (C5)', () =>
    ClusterScript.play({ seed: 303 }, async (script) => {
      const { leader } = script;
      const [other, learner] = script.pair;
      script.kill(learner);
      await script.untilInSync([leader, other]);
      await script.mustSet('K', 'old');
      await script.fill(FETCH_BYTES);
      await script.mustDelete('K');
      await script.untilLevel();
      await script.roll(other);
      await script.merge(other);
      const floor = script.store(other).removedFloor;
      expect(floor).to.be.at.least(0);
      expect(script.store(leader).removedFloor).to.be.lessThan(0);
      script.start(learner);
      const end = (): number =>
        script.node(learner).live?.cluster.replicas.replica(P0)?.store?.logEndOffset ?? 0;
      await script.until('the learner has the value', () => end() > 0);
      expect(end()).to.be.at.most(floor);
      const directory = script.store(learner).directoryId;
      script.kill(leader);
      await script.untilLedAnew(leader);
      script.start(leader);
      await script.untilStable();
      expect(script.store(learner).directoryId).not.to.equal(directory);
      await script.lead(learner);
      expect(await script.get('K')).to.equal('nil');
    }));

  it('(c) a rebuild that one leader began is not continued at another', () =>
    ClusterScript.play({ seed: 304 }, async (script) => {
      const { leader } = script;
      const [other, learner] = script.pair;
      script.kill(learner);
      script.node(learner).machine.disk.wipe();
      await script.untilInSync([leader, other]);
      await script.mustSet('J', 'old');
      await script.mustDelete('J');
      await script.untilLevel();
      await script.roll(leader);
      await script.merge(leader);
      await script.mustSet('K', 'old');
      await script.fill(FETCH_BYTES);
      await script.mustDelete('K');
      await script.untilLevel();
      await script.roll(other);
      await script.merge(other);
      script.world.network.setMood(learner, SLOW);
      script.start(learner);
      const isRebuilding = (): boolean =>
        script.node(learner).live?.cluster.replicas.replica(P0)?.follower?.isRebuilding === true;
      await script.until('the learner rebuilds', isRebuilding);
      const before = script.store(learner).directoryId;
      const unfinished = await untilRebuilding(script, learner);
      expect(isRebuilding()).to.equal(true);
      script.kill(leader);
      await script.untilLedAnew(leader);
      expect(script.state.isr).to.not.include(learner);
      script.start(leader);
      script.world.network.setMood(learner, null);
      await script.untilStable();
      expect(script.store(learner).directoryId).to.not.be.oneOf([before, unfinished]);
      await script.lead(learner);
      expect(await script.get('K')).to.equal('nil');
    }));

  it('(c) while a follower is built anew its leader removes no tombstone (C5)', () =>
    ClusterScript.play({ seed: 309 }, async (script) => {
      const { leader } = script;
      const [other, learner] = script.pair;
      script.kill(learner);
      script.node(learner).machine.disk.wipe();
      await script.untilInSync([leader, other]);
      await script.mustSet('J', 'old');
      await script.mustDelete('J');
      await script.untilLevel();
      await script.roll(leader);
      await script.merge(leader);
      const { removedFloor } = script.store(leader);
      await script.mustSet('K', 'old');
      await script.fill(2 * FETCH_BYTES);
      script.world.network.setMood(learner, SLOW);
      script.start(learner);
      const isRebuilding = (): boolean =>
        script.node(learner).live?.cluster.replicas.replica(P0)?.follower?.isRebuilding === true;
      await script.until('the learner rebuilds', isRebuilding);
      // It writes what it has taken.
      await script.run(60);
      script.node(learner).machine.disk.isSlow = true;
      await script.run(100);
      await script.mustDelete('K');
      await script.onNode(leader, async ({ cluster }) => cluster.replicas.leading(P0)?.mergeNow());
      expect(isRebuilding(), 'it still rebuilds').to.equal(true);
      expect(script.store(leader).removedFloor).to.equal(removedFloor);
      script.node(learner).machine.disk.isSlow = false;
      script.world.network.setMood(learner, null);
      await script.lead(learner);
      expect(await script.get('K')).to.equal('nil');
    }));

  it('(d) an overwrite that was never committed lets nothing go: merged and truncated, the old value is there', () =>
    ClusterScript.play({ seed: 305 }, async (script) => {
      await keyInOwnSegment(script, 'K', 'old');
      const { leader } = script;
      script.isolate(leader);
      script.cutCoordinator(leader);
      const asked = script.begin({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
      const end = script.store(leader).logEndOffset;
      await script.until('it is on the disk', () => script.store(leader).durableOffset > end);
      await script.roll(leader);
      await script.merge(leader, 0, 1);
      await script.untilLedAnew(leader);
      script.rejoin(leader);
      script.cutCoordinator(leader, false);
      await script.untilStable();
      expect(await script.answer(asked)).to.match(/^unknown/);
      expect(await script.get('K')).to.equal('=old');
      await script.lead(leader);
      expect(await script.get('K')).to.equal('=old');
    }));

  it('(d) a hint is written of what is committed, not before: a start that goes by it misses nothing (C2)', () =>
    ClusterScript.play({ seed: 308 }, async (script) => {
      await keyInOwnSegment(script, 'K', 'old');
      const { leader } = script;
      script.isolate(leader);
      const end = script.store(leader).logEndOffset;
      const first = script.begin({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
      await script.until('it is on the disk', () => script.store(leader).durableOffset > end);
      await script.roll(leader);
      const second = script.begin({ kind: 'set', key: 'L', value: 'new', dueMs: 0 });
      await script.run(50);
      script.rejoin(leader);
      expect([await script.answer(first), await script.answer(second)]).to.deep.equal(['OK', 'OK']);
      // META says now that they are committed.
      await script.run(6_000);
      script.kill(leader);
      script.start(leader);
      await script.lead(leader);
      expect(await script.get('K')).to.equal('=new');
      expect(await script.get('L')).to.equal('=new');
    }));

  it('(e) a newer version with an expiry, merged, restarted and with clocks set back, does not let the older one back', () =>
    ClusterScript.play({ seed: 306 }, async (script) => {
      await keyInOwnSegment(script, 'K', 'eternal');
      const dueMs = script.world.trueWallMs + 60_000;
      expect(await script.ask({ kind: 'set', key: 'K', value: 'mortal', dueMs })).to.equal('OK');
      await script.rollAll();
      for (const { id } of script.world.nodes) await script.merge(id);
      for (const { machine } of script.world.nodes) machine.wall.offsetMs -= 30_000;
      const { leader } = script;
      for (const { id } of script.world.nodes) {
        script.kill(id, 'loseAll');
        script.start(id);
      }
      await script.untilStable();
      script.kill(leader);
      await script.untilLedAnew(leader);
      expect((await script.untilDone({ kind: 'get', key: 'K' })).reply).to.equal('=mortal');
    }));

  it('(e) once it has expired, neither version comes back with a clock that is set back (R4)', () =>
    ClusterScript.play({ seed: 307 }, async (script) => {
      await keyInOwnSegment(script, 'K', 'eternal');
      const dueMs = script.world.trueWallMs + 500;
      expect(await script.ask({ kind: 'set', key: 'K', value: 'mortal', dueMs })).to.equal('OK');
      await script.run(1000);
      expect(await script.get('K')).to.equal('nil');
      await script.rollAll();
      const { leader } = script;
      await script.merge(leader);
      for (const { machine } of script.world.nodes) machine.wall.offsetMs -= 5_000;
      script.kill(leader);
      const next = await script.untilLedAnew(leader);
      expect((await script.untilDone({ kind: 'get', key: 'K' })).reply).to.equal('nil');
      script.start(leader);
      await script.lead(leader);
      expect(next).not.to.equal(leader);
      expect(await script.get('K')).to.equal('nil');
    }));
});
