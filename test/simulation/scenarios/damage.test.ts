import { expect } from 'chai';
import type { NodeId } from '../../../src/model/numbers.ts';
import { hintPath } from '../../../src/storage/hint-file.ts';
import { batchesOf, type PlacedBatch } from '../../support/durability-order.ts';
import { cutFile } from '../../support/store-fixture.ts';
import { ClusterScript } from './cluster-script.ts';

const WRITES = 12;

/** Acknowledged writes, each in a batch of its own. */
async function write(script: ClusterScript, prefix = 'key'): Promise<void> {
  for (let index = 0; index < WRITES; index += 1)
    await script.mustSet(`${prefix}${index}`, `${prefix}-${index}`);
  await script.untilLevel();
}

async function expectAll(script: ClusterScript, prefix = 'key'): Promise<void> {
  for (let index = 0; index < WRITES; index += 1) {
    const { reply } = await script.untilDone({ kind: 'get', key: `${prefix}${index}` });
    expect(reply).to.equal(`=${prefix}-${index}`);
  }
}

function batches(script: ClusterScript, id: NodeId): Promise<readonly PlacedBatch[]> {
  const { directory } = script.store(id);
  return script.onNode(id, ({ cluster }) => batchesOf(cluster.replicas.doors.fileSystem, directory));
}

function flip(
  script: ClusterScript,
  id: NodeId,
  { path, position }: Pick<PlacedBatch, 'path' | 'position'>,
): void {
  script.node(id).machine.disk.faulty.flipBit(path, position, 3);
}

/** In another directory, and a member again. */
const anew = (script: ClusterScript, id: NodeId, directory: string): Promise<void> =>
  script.until(
    'it is built anew',
    () => script.world.isStable() && script.state.directoryIds[id] !== directory,
  );

/** With an ISR of all but this node. */
const without = (script: ClusterScript, id: NodeId): (() => boolean) => {
  return () => !script.state.isr.includes(id) && script.state.leader !== null;
};

describe('a damaged disk of one replica costs nothing that was committed (PROTOCOL 3.4 g, h)', () => {
  for (const role of ['follower', 'leader'] as const) {
    const victimOf = (script: ClusterScript): NodeId => (role === 'leader' ? script.leader : script.pair[0]);

    it(`(g) a flipped bit in the last batch of the active segment: it leaves the ISR until it has all again: ${role}`, () =>
      ClusterScript.play({ seed: 310 }, async (script) => {
        await write(script);
        const victim = victimOf(script);
        const last = (await batches(script, victim)).at(-1) as PlacedBatch;
        flip(script, victim, { ...last, position: last.position + last.length - 3 });
        script.kill(victim);
        script.start(victim);
        await script.until('it left the ISR', without(script, victim));
        await expectAll(script);
        await script.untilStable();
        await script.lead(victim);
        await expectAll(script);
      }));

    it(`(g) a flipped bit below the high watermark: it leaves the ISR, and takes again all from there on: ${role}`, () =>
      ClusterScript.play({ seed: 311 }, async (script) => {
        await write(script);
        // META says now that they are committed.
        await script.run(6_000);
        const victim = victimOf(script);
        const [, second] = await batches(script, victim);
        if (second === undefined) throw new Error('there are not two batches');
        flip(script, victim, { ...second, position: second.position + second.length - 3 });
        script.kill(victim);
        script.start(victim);
        await script.untilRuns(victim);
        await script.until('it left the ISR', without(script, victim));
        expect(script.store(victim).report.verdict).to.equal('lossy');
        await script.lead(victim);
        await expectAll(script);
      }));

    it(`(g) a flipped bit in a sealed file, found while it runs: another leads, and it is built anew: ${role}`, () =>
      ClusterScript.play({ seed: 312 }, async (script) => {
        await write(script);
        await script.rollAll();
        await write(script, 'more');
        const victim = victimOf(script);
        const directory = script.store(victim).directoryId;
        const [first] = await batches(script, victim);
        if (first === undefined) throw new Error('there is no batch');
        flip(script, victim, { ...first, position: first.position + first.length - 3 });
        await script.onNode(victim, ({ cluster }) => cluster.replicas.scrubNow());
        await script.until('it left the ISR', without(script, victim));
        expect(script.leader).not.to.equal(victim);
        await anew(script, victim, directory);
        await script.lead(victim);
        await expectAll(script);
        await expectAll(script, 'more');
      }));

    it(`(g) a flipped bit in a hint: the data say what is so, and it keeps its place: ${role}`, () =>
      ClusterScript.play({ seed: 313 }, async (script) => {
        await write(script);
        await script.rollAll();
        await write(script, 'more');
        const victim = victimOf(script);
        const store = script.store(victim);
        const { directoryId, log } = store;
        const [sealed] = log.segments;
        if (sealed === undefined) throw new Error('there is no sealed segment');
        await script.until('it has its hint', () => sealed.hasHint);
        flip(script, victim, { path: hintPath(store.directory, sealed), position: 40 });
        script.kill(victim);
        script.start(victim);
        await script.untilStable();
        expect(script.store(victim).directoryId).to.equal(directoryId);
        await script.lead(victim);
        await expectAll(script);
      }));

    it(`(h) a tail that was promised and is gone: nothing of the old life counts, it leaves the ISR: ${role}`, () =>
      ClusterScript.play({ seed: 314 }, async (script) => {
        await write(script);
        const victim = victimOf(script);
        const last = (await batches(script, victim)).at(-1) as PlacedBatch;
        await script.onNode(victim, ({ cluster }) =>
          cutFile(cluster.replicas.doors.fileSystem, last.path, last.position + last.length - 20),
        );
        script.kill(victim);
        script.start(victim);
        await script.until('it left the ISR', without(script, victim));
        await script.untilStable();
        await script.lead(victim);
        await expectAll(script);
      }));

    it(`(h) what was not synced is gone after a power cut: it keeps its place with what it promised (R6): ${role}`, () =>
      ClusterScript.play({ seed: 315 }, async (script) => {
        await write(script);
        const victim = victimOf(script);
        const { directoryId } = script.store(victim);
        const asked = Array.from({ length: 8 }, (_, index) =>
          script.begin({ kind: 'set', key: `late${index}`, value: 'late', dueMs: 0 }),
        );
        await script.run(1);
        script.kill(victim, 'loseAll');
        await script.run(100);
        script.start(victim);
        for (const each of asked) await script.answer(each);
        await script.untilStable();
        expect(script.store(victim).directoryId).to.equal(directoryId);
        await script.lead(victim);
        await expectAll(script);
      }));

    it(`a sync that failed is final: nothing is promised on top of it, and it leaves the ISR (R24, KAFKA-10778): ${role}`, () =>
      ClusterScript.play({ seed: 317 }, async (script) => {
        await write(script);
        const victim = victimOf(script);
        const { disk } = script.node(victim).machine;
        disk.faulty.arm({ operation: 'sync', path: '.log', times: Number.POSITIVE_INFINITY });
        const asked = script.begin({ kind: 'set', key: 'late', value: 'late', dueMs: 0 });
        await script.until('it left the ISR', without(script, victim));
        await script.answer(asked);
        await script.untilDone({ kind: 'set', key: 'later', value: 'later', dueMs: 0 });
        script.kill(victim);
        disk.heal();
        script.start(victim);
        await script.untilStable();
        await script.lead(victim);
        await expectAll(script);
        expect(await script.get('later')).to.equal('=later');
      }));

    it(`a wiped disk is nobody: its empty replica leaves the ISR before it may be elected (R5, KAFKA-14139): ${role}`, () =>
      ClusterScript.play({ seed: 316 }, async (script) => {
        await write(script);
        const victim = victimOf(script);
        script.node(victim).restart({ wipe: true });
        await script.until('it left the ISR', without(script, victim));
        expect(script.leader).not.to.equal(victim);
        await script.untilStable();
        await script.lead(victim);
        await expectAll(script);
      }));
  }
});
