import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { NO_PARTITION, ReadOutcome } from '../../src/cluster/index.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { asOffset, type Offset } from '../../src/model/numbers.ts';
import { Acks, Guarantee, SetRequest } from '../../src/rpc/generated/caskade/v1/kv.ts';
import { bufferOf, KEY_VALUE } from '../../src/rpc/kv-methods.ts';
import { FakePartition, type FakePartitionOptions } from '../support/fake-partition.ts';
import { FakeRouter } from '../support/fake-router.ts';
import { bytes, failureOf, KeyValueNode, type KeyValueNodeOptions, mapOf } from './kv-node.ts';

/** Waits for a condition, not for a time. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** Its disk answers when the test says so. */
class SlowDiskPartition extends FakePartition {
  #durable = 0;
  #flushed: () => void = () => {};
  readonly #flush = new Promise<void>((resolve) => {
    this.#flushed = resolve;
  });

  override get durableOffset(): Offset {
    return asOffset(this.#durable);
  }

  override whenFlushed(): Promise<void> {
    return this.#flush;
  }

  /** Everything below `offset` is on the disk, and nothing more will be. */
  flushTo(offset: number): void {
    this.#durable = offset;
    this.#flushed();
  }
}

describe('KeyValue service', () => {
  let node: KeyValueNode;
  let partition: FakePartition;
  let router: FakeRouter;

  async function start(fake: FakePartitionOptions = {}, options: KeyValueNodeOptions = {}): Promise<void> {
    router = new FakeRouter(1, fake);
    partition = router.partitions[0] as FakePartition;
    node = await KeyValueNode.start(router, options);
  }

  async function startWith(only: FakePartition): Promise<void> {
    partition = only;
    const { arrivals } = new FakeRouter();
    node = await KeyValueNode.start({ partitions: [only], arrivals, partitionOf: () => only });
  }

  afterEach(async () => {
    await node.stop();
    expect(node.logger.events.filter(({ level }) => level === 'error')).to.deep.equal([]);
  });

  describe('answers', () => {
    it('every answer carries the version of the key, a write that of its own record', async () => {
      await start();
      expect(await node.get('k')).to.deep.equal({
        found: false,
        value: bytes(''),
        expiresAtMs: undefined,
        version: { partition: 0, leaderEpoch: 1, offset: undefined },
      });
      const version = { partition: 0, leaderEpoch: 1, offset: 0 };
      const guarantee = Guarantee.GUARANTEE_COMMITTED;
      expect(await node.set('k', 'v')).to.deep.equal({ version, guarantee });
      expect(await node.get('k')).to.deep.equal({
        found: true,
        value: bytes('v'),
        expiresAtMs: undefined,
        version,
      });
      expect(await node.ttl('k')).to.deep.equal({ found: true, ttlMs: undefined, version });
      const tombstone = { ...version, offset: 1 };
      expect(await node.delete('k')).to.deep.equal({ deleted: true, version: tombstone, guarantee });
      expect(await node.delete('k')).to.deep.equal({ deleted: false, version: tombstone, guarantee });
      expect(await node.get('k')).to.deep.include({ found: false, version: tombstone });
    });

    it('keys and values are bytes, empty ones too', async () => {
      await start();
      for (const text of ['', '\0\xff\r\n']) {
        await node.set(text, text);
        expect((await node.get(text)).value).to.deep.equal(bytes(text));
      }
    });

    it('an expiry is milliseconds from now, or since 1970; SET clears it', async () => {
      await start({ wallMs: () => 1_000 });
      const clock = Date.now();
      await node.set('k', 'v', { expiry: { $case: 'ttlMs', ttlMs: 60_000 } });
      expect(partition.expiryOf('k')).to.be.within(clock + 60_000, Date.now() + 60_000);
      expect((await node.ttl('k')).ttlMs).to.be.within(50_000, 60_000);
      await node.set('k', 'v', { expiry: { $case: 'expiresAtMs', expiresAtMs: 1_234_567 } });
      expect((await node.get('k')).expiresAtMs).to.equal(1_234_567);
      expect((await node.ttl('k')).ttlMs).to.equal(0);
      await node.set('k', 'v');
      expect((await node.get('k')).expiresAtMs).to.equal(undefined);
    });

    it('Expire changes an existing key, and deletes it where the time is over', async () => {
      await start();
      const later = { $case: 'expiresAtMs', expiresAtMs: Date.now() + 60_000 } as const;
      expect(await node.expire('k', later)).to.include({ found: false });
      await node.set('k', 'v');
      expect(await node.expire('k', later)).to.include({ found: true });
      expect(partition.expiryOf('k')).to.equal(later.expiresAtMs);
      for (const over of [
        { $case: 'ttlMs', ttlMs: 0 },
        { $case: 'expiresAtMs', expiresAtMs: 1 },
      ] as const) {
        await node.set('k', 'v');
        expect(await node.expire('k', over)).to.include({ found: true });
        expect(partition.records.at(-1)?.kind).to.equal('tombstone');
      }
    });
  });

  describe('reads', () => {
    it('R3: an answer without an own record is confirmed, under one arrival over all runs', async () => {
      await start();
      partition.seed('k', 'v');
      partition.confirmations.push(ReadOutcome.suspended, ReadOutcome.suspended);
      expect(await node.get('k')).to.include({ found: true });
      expect(partition.arrivals).to.deep.equal([1, 1, 1]);
      await node.ttl('k');
      await node.delete('absent');
      await node.expire('absent', { $case: 'ttlMs', ttlMs: 1 });
      expect(partition.arrivals).to.deep.equal([1, 1, 1, 2, 3, 4]);
      await node.delete('k');
      expect(partition.arrivals).to.have.length(6);
    });

    it('a read that nobody confirms is refused', async () => {
      await start();
      for (const call of [() => node.get('k'), () => node.delete('k'), () => node.ttl('k')]) {
        partition.confirmations.push(ReadOutcome.refused);
        expect(await failureOf(call())).to.include({ code: status.UNAVAILABLE, error: '23 tryAgain' });
      }
      expect(partition.records).to.have.length(0);
    });

    it('a value on the disk is waited for', async () => {
      await start();
      partition.seed('k', 'v');
      partition.cold.add('k');
      expect((await node.get('k')).value).to.deep.equal(bytes('v'));
      expect(partition.readCount).to.equal(2);
    });

    it('does not see what is not committed', async () => {
      await start({ commit: 'manual' });
      const written = node.set('k', 'v');
      await until(() => partition.records.length === 1);
      expect(await node.get('k')).to.include({ found: false });
      partition.commitAll();
      await written;
      expect(await node.get('k')).to.include({ found: true });
    });

    it('R4: a due key is neither there nor gone before its tombstone is committed', async () => {
      await start({ commit: 'manual' });
      partition.seed('k', 'v', 1);
      let answered = false;
      const read = node.get('k').then((answer) => {
        answered = true;
        return answer;
      });
      await until(() => partition.records.length === 2);
      await node.get('other');
      expect(answered).to.equal(false);
      partition.commitAll();
      expect(await read).to.deep.include({ found: false });
      partition.seed('k', 'v', 1);
      expect(await failureOf(node.get('k', 300))).to.include({ error: '23 tryAgain' });
    });

    it('an absence that rests on a tombstone waits for its commit, and is refused if that does not come', async () => {
      await start({ commit: 'manual' });
      partition.seed('k', 'v');
      const first = node.delete('k');
      await until(() => partition.records.length === 2);
      const second = node.delete('k', Acks.ACKS_NONE);
      await until(() => partition.readCount === 2);
      partition.commitAll();
      expect(await first).to.include({ deleted: true });
      expect(await second).to.deep.include({ deleted: false, guarantee: Guarantee.GUARANTEE_COMMITTED });

      partition.seed('k', 'v');
      const third = failureOf(node.delete('k'));
      await until(() => partition.records.length === 4);
      const fourth = failureOf(node.expire('k', { $case: 'ttlMs', ttlMs: 5 }));
      await until(() => partition.readCount === 4);
      partition.fail();
      expect(await third).to.include({ error: '24 inDoubt' });
      expect(await fourth).to.include({ error: '23 tryAgain' });
    });
  });

  describe('acks', () => {
    it('all: nothing is answered before the commit', async () => {
      await start({ commit: 'manual' });
      for (const acks of [Acks.ACKS_ALL, Acks.ACKS_UNSPECIFIED]) {
        let answered = false;
        const end = partition.logEndOffset + 1;
        const written = node.set('k', 'v', { acks }).then((answer) => {
          answered = true;
          return answer;
        });
        await until(() => partition.logEndOffset === end);
        await node.get('other');
        expect(answered).to.equal(false);
        partition.commitAll();
        expect((await written).guarantee).to.equal(Guarantee.GUARANTEE_COMMITTED);
      }
    });

    it('L10: none is answered after the append, and says that nothing more is promised', async () => {
      await start({ commit: 'manual' });
      expect(await node.set('k', 'v', { acks: Acks.ACKS_NONE })).to.deep.equal({
        version: { partition: 0, leaderEpoch: 1, offset: 0 },
        guarantee: Guarantee.GUARANTEE_LEADER_MEMORY_ONLY,
      });
      expect(partition.highWatermark).to.equal(0);
    });

    it("L10: leader waits for the leader's own disk, and says that nothing more is promised", async () => {
      const slow = new SlowDiskPartition({ commit: 'manual' });
      await startWith(slow);
      let answered = false;
      const written = node.set('k', 'v', { acks: Acks.ACKS_LEADER }).then((answer) => {
        answered = true;
        return answer;
      });
      await until(() => slow.records.length === 1);
      await node.get('other');
      expect(answered).to.equal(false);
      slow.flushTo(1);
      expect((await written).guarantee).to.equal(Guarantee.GUARANTEE_LEADER_DISK_ONLY);
    });

    it('leader: a wait for the disk that ended without it is in doubt; a commit is more than was asked for', async () => {
      const slow = new SlowDiskPartition({ commit: 'manual' });
      await startWith(slow);
      const committed = node.set('k', 'v', { acks: Acks.ACKS_LEADER });
      await until(() => slow.records.length === 1);
      slow.commitAll();
      expect((await committed).guarantee).to.equal(Guarantee.GUARANTEE_COMMITTED);
      const lost = failureOf(node.set('k', 'v', { acks: Acks.ACKS_LEADER }));
      await until(() => slow.records.length === 2);
      slow.flushTo(1);
      expect(await lost).to.include({ code: status.UNKNOWN, error: '24 inDoubt', version: '0 1 1' });
    });
  });

  describe('refused', () => {
    it('before the append, by the code of the error: the same may be sent again where the status says so', async () => {
      await start();
      const statuses = [
        ['notEnoughReplicas', status.UNAVAILABLE, '20 notEnoughReplicas'],
        ['overloaded', status.UNAVAILABLE, '27 overloaded'],
        ['diskFull', status.RESOURCE_EXHAUSTED, '40 diskFull'],
        ['partitionFenced', status.FAILED_PRECONDITION, '44 partitionFenced'],
      ] as const;
      for (const [code, grpcStatus, error] of statuses) {
        partition.refuseWrites = new CaskadeError(code, `because of ${code}`);
        for (const call of [() => node.set('k', 'v'), () => node.delete('k')]) {
          expect(await failureOf(call())).to.deep.equal({
            code: grpcStatus,
            error,
            version: undefined,
            leader: undefined,
            details: `because of ${code}`,
          });
        }
      }
      expect(partition.records).to.have.length(0);
    });

    it('R22: what was given up before it was sealed was refused, not in doubt', async () => {
      await start({ commit: 'manual' });
      const written = failureOf(node.set('k', 'v'));
      await until(() => partition.records.length === 1);
      partition.fail(new CaskadeError('diskFull', 'no room'));
      expect(await written).to.include({ error: '40 diskFull', version: undefined });
    });

    it('by a node that does not lead: with the leader where it is known', async () => {
      const elsewhere = {
        partitions: [],
        arrivals: new FakeRouter().arrivals,
        partitionOf: () => NO_PARTITION,
      };
      node = await KeyValueNode.start(elsewhere, { map: mapOf(1, 2, () => '10.0.0.2:7102') });
      for (const call of [node.get('k'), node.set('k', 'v', { acks: Acks.ACKS_NONE }), node.delete('k')])
        expect(await failureOf(call)).to.include({
          code: status.UNAVAILABLE,
          error: '22 notLeader',
          leader: '2 5 10.0.0.2:7102',
        });
      await node.stop();
      for (const map of [
        mapOf(1, null, () => ''),
        mapOf(2, 2, () => '10.0.0.2:7102'),
        mapOf(1, 2, () => ''),
        null,
      ]) {
        node = await KeyValueNode.start(elsewhere, { map });
        expect(await failureOf(node.get('k'))).to.include({
          code: status.UNAVAILABLE,
          error: '21 noLeader',
          leader: undefined,
        });
        await node.stop();
      }
    });

    it('a partition that is over, or says so itself, is led elsewhere', async () => {
      await start({}, { map: mapOf(1, 2, () => '10.0.0.2:7102') });
      partition.refuseReads = new CaskadeError('notLeader', 'over');
      partition.refuseWrites = new CaskadeError('notLeader', 'over');
      for (const call of [node.get('k'), node.set('k', 'v')])
        expect(await failureOf(call)).to.include({ error: '22 notLeader', leader: '2 5 10.0.0.2:7102' });
      partition.isOver = true;
      expect(await failureOf(node.get('k'))).to.include({ error: '22 notLeader' });
    });

    it('what is too large or makes no sense', async () => {
      await start();
      const long = 'k'.repeat(LIMITS.keyBytesMax + 1);
      const set = (change: Partial<SetRequest>): Buffer =>
        bufferOf(SetRequest, { key: bytes('k'), value: bytes('v'), expiry: undefined, acks: 0, ...change });
      const limits = [node.get(long), node.set(long, ''), node.set('k', 'v'.repeat(1025))];
      for (const failure of await Promise.all(limits.map(failureOf)))
        expect(failure).to.include({ code: status.INVALID_ARGUMENT, error: '2 limitExceeded' });
      const senseless = [
        node.raw(KEY_VALUE.set, set({ acks: 9 as Acks })),
        node.raw(KEY_VALUE.set, set({ expiry: { $case: 'ttlMs', ttlMs: 0 } })),
        node.raw(KEY_VALUE.set, set({ expiry: { $case: 'ttlMs', ttlMs: Number.MAX_SAFE_INTEGER } })),
        node.raw(KEY_VALUE.set, Buffer.from([0x1a, 0x05, 0x00])),
        node.expire('k', undefined),
      ];
      for (const failure of await Promise.all(senseless.map(failureOf)))
        expect(failure).to.include({ code: status.INVALID_ARGUMENT, error: '1 invalidArgument' });
      expect(partition.records).to.have.length(0);
    });

    it('a node that stops refuses what comes, and ends what is under way', async () => {
      await start({ commit: 'manual' });
      const written = node.set('k', 'v');
      await until(() => partition.records.length === 1);
      node.service.endStreams();
      expect(await failureOf(node.get('k'))).to.include({
        code: status.UNAVAILABLE,
        error: '26 shuttingDown',
      });
      partition.commitAll();
      expect((await written).guarantee).to.equal(Guarantee.GUARANTEE_COMMITTED);
    });
  });

  describe('in doubt', () => {
    it('what was appended and given up is in doubt, with its version', async () => {
      await start({ commit: 'manual' });
      partition.seed('k', 'v');
      const write = [
        () => node.set('k', 'v'),
        () => node.delete('k'),
        () => node.expire('k', { $case: 'ttlMs', ttlMs: 60_000 }),
      ];
      for (const call of write) {
        const failure = failureOf(call());
        await until(() => partition.records.length === 2);
        partition.fail();
        expect(await failure).to.deep.equal({
          code: status.UNKNOWN,
          error: '24 inDoubt',
          version: '0 1 1',
          leader: undefined,
          details: '0 1 1 the batch was not committed',
        });
      }
    });

    it('a deadline that is over after the append leaves it in doubt, and the answer arrives before it is', async () => {
      await start({ commit: 'manual' }, { writeTimeoutMs: 100 });
      const timed = failureOf(node.set('k', 'v', { deadlineMs: 1_000 }));
      expect(await timed).to.include({ code: status.UNKNOWN, error: '24 inDoubt', version: '0 1 0' });
      const untimed = failureOf(node.delete('k'));
      expect(await untimed).to.include({ error: '24 inDoubt', version: '0 1 1' });
    });

    it('a deadline that is over before the append refuses, and nothing is appended later', async () => {
      await start();
      let relieve = (): void => {};
      partition.congestion = new Promise((resolve) => {
        relieve = resolve;
      });
      expect(await failureOf(node.set('k', 'v', { deadlineMs: 300 }))).to.include({
        code: status.UNAVAILABLE,
        error: '23 tryAgain',
      });
      partition.congestion = null;
      relieve();
      expect(await node.get('k')).to.include({ found: false });
      expect(partition.records).to.have.length(0);
    });

    it('a call that its client has given up is not carried out later', async () => {
      await start();
      let relieve = (): void => {};
      partition.congestion = new Promise((resolve) => {
        relieve = resolve;
      });
      const given = failureOf(node.set('k', 'v'));
      await until(() => node.callCount === 1);
      node.cancelCalls();
      expect(await given).to.include({ code: status.CANCELLED });
      // The server hears of it behind what it hears on another connection only by chance: it is stopped, and so has.
      await node.stop(5_000);
      partition.congestion = null;
      relieve();
      await new Promise((resolve) => setImmediate(resolve));
      expect(partition.records).to.have.length(0);
    });
  });
});
