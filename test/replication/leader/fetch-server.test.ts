import { expect } from 'chai';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  asPartitionVersion,
  type Offset,
} from '../../../src/model/numbers.ts';
import { FetchServer } from '../../../src/replication/leader/fetch-server.ts';
import { PollEnds } from '../../../src/replication/leader/poll-ends.ts';
import type { Fetch, FetchOutcome } from '../../../src/replication/messages.ts';
import type { LogSlice } from '../../../src/storage/replica-log.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

const POLL_MS = 150;

/** A server over a log whose reads the test finishes by hand. */
class Bench {
  readonly clock = new SimulatedClock();
  readonly replies: { readonly fetchId: number; readonly outcome: FetchOutcome }[] = [];
  readonly reads: { finish(slice: Partial<LogSlice>): void; fail(error: Error): void }[] = [];
  readonly unreadable: unknown[] = [];
  readonly askedBytes: number[] = [];
  highWatermark = 0;
  refusal: { readonly result: 'resync' } | null = null;
  readonly server: FetchServer;

  constructor() {
    this.server = new FetchServer(
      {
        log: {
          sealedOffset: asOffset(5),
          logStartOffset: asOffset(0),
          removedFloor: -1,
          readLog: (offset, bytesMax) => this.#read(offset, bytesMax),
        },
        facts: () => ({
          highWatermark: asOffset(this.highWatermark),
          isCurrent: true,
          tombstoneRemoveOffset: asOffset(0),
          partitionVersion: asPartitionVersion(1),
          controllerEpoch: asControllerEpoch(1),
        }),
        refusalOf: () => this.refusal,
        reply: ({ fetchId }, outcome) => this.replies.push({ fetchId, outcome }),
        unreadable: (error) => this.unreadable.push(error),
      },
      this.clock,
      new PollEnds(this.clock, POLL_MS),
      1000,
    );
  }

  #read(offset: Offset, bytesMax: number): Promise<LogSlice> {
    this.askedBytes.push(bytesMax);
    return new Promise((resolve, reject) => {
      this.reads.push({
        finish: (slice) =>
          resolve({ bytes: Buffer.alloc(9), nextOffset: asOffset(offset + 1), epochs: [], ...slice }),
        fail: reject,
      });
    });
  }
}

const fetchOf = (fetchId: number, change: Partial<Fetch> = {}): Fetch => ({
  kind: 'fetch',
  from: asNodeId(2),
  fromIncarnation: asIncarnation(1),
  partition: asPartitionId(0),
  uuid: 'u',
  directoryId: 'd',
  fetchId,
  leaderEpoch: asLeaderEpoch(1),
  fetchOffset: asOffset(0),
  durableOffset: asOffset(0),
  lastFetchedEpoch: asLeaderEpoch(0),
  partitionVersion: asPartitionVersion(1),
  rebuildId: 0,
  bytesMax: 10_000,
  ...change,
});

describe('a fetch whose data is read from the disk', () => {
  it('is not answered once its replica has asked anew', async () => {
    const bench = new Bench();
    bench.server.serve(fetchOf(1));
    bench.server.serve(fetchOf(2));
    bench.reads[0]?.finish({});
    await bench.clock.settle();
    expect(bench.replies).to.deep.equal([]);
    bench.reads[1]?.finish({});
    await bench.clock.settle();
    expect(bench.replies.map(({ fetchId }) => fetchId)).to.deep.equal([2]);
  });

  it('is not answered by a role that has ended; the end waits for the read', async () => {
    const bench = new Bench();
    bench.server.serve(fetchOf(1));
    let isStopped = false;
    void bench.server.stop().then(() => {
      isStopped = true;
    });
    await bench.clock.settle();
    expect(isStopped).to.equal(false);
    bench.reads[0]?.finish({});
    await bench.clock.settle();
    expect(isStopped).to.equal(true);
    expect(bench.replies).to.deep.equal([]);
    bench.server.serve(fetchOf(2));
    expect(bench.reads.length).to.equal(1);
  });

  it('carries what holds when it leaves, not when it was asked (KAFKA-5036)', async () => {
    const bench = new Bench();
    bench.server.serve(fetchOf(1));
    bench.highWatermark = 3;
    bench.reads[0]?.finish({});
    await bench.clock.settle();
    expect(bench.replies[0]?.outcome).to.include({ result: 'data', highWatermark: 3, nextOffset: 1 });
  });

  it('is refused when a merge removed tombstones meanwhile that its replica never saw (C5, KAFKA-5036)', async () => {
    const bench = new Bench();
    bench.server.serve(fetchOf(1));
    bench.refusal = { result: 'resync' };
    bench.reads[0]?.finish({});
    await bench.clock.settle();
    expect(bench.replies).to.deep.equal([{ fetchId: 1, outcome: { result: 'resync' } }]);
  });

  it('was parked, and is refused when the log under it has changed (C5)', async () => {
    const bench = new Bench();
    bench.server.serve(fetchOf(1, { fetchOffset: asOffset(5) }));
    bench.server.serve(fetchOf(2, { fetchOffset: asOffset(5) }));
    expect(bench.server.parkedCount).to.equal(1);
    bench.refusal = { result: 'resync' };
    bench.highWatermark = 5;
    bench.server.wake();
    await bench.clock.advance(20);
    expect(bench.replies.at(-1)).to.deep.equal({ fetchId: 2, outcome: { result: 'resync' } });
    expect(bench.server.parkedCount).to.equal(0);
  });

  it('carries no more than the leader allows', () => {
    const bench = new Bench();
    bench.server.serve(fetchOf(1));
    bench.server.serve(fetchOf(2, { bytesMax: 10 }));
    expect(bench.askedBytes).to.deep.equal([1000, 10]);
  });

  it('that cannot be read is told to the leader, and the follower asks again', async () => {
    const bench = new Bench();
    bench.server.serve(fetchOf(1));
    bench.reads[0]?.fail(new Error('bad sector'));
    await bench.clock.settle();
    expect(bench.unreadable.length).to.equal(1);
    bench.server.serve(fetchOf(2));
    bench.reads[1]?.finish({});
    await bench.clock.settle();
    expect(bench.replies.map(({ fetchId }) => fetchId)).to.deep.equal([2]);
  });

  it('that finds nothing is parked', async () => {
    const bench = new Bench();
    bench.server.serve(fetchOf(1, { fetchOffset: asOffset(5) }));
    expect(bench.replies.length, 'first of all the high watermark').to.equal(1);
    bench.server.serve(fetchOf(2, { fetchOffset: asOffset(4) }));
    bench.reads[0]?.finish({ bytes: Buffer.alloc(0), nextOffset: asOffset(4) });
    await bench.clock.settle();
    expect(bench.server.parkedCount).to.equal(1);
    await bench.clock.advance(POLL_MS);
    expect(bench.replies.map(({ fetchId }) => fetchId)).to.deep.equal([1, 2]);
  });
});
