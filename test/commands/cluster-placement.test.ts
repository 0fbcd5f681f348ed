import { expect } from 'chai';
import type { StaleReads } from '../../src/cluster/index.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { asOffset, type PartitionId } from '../../src/model/numbers.ts';
import { FakeCluster, slot } from '../support/fake-cluster.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { Harness } from './harness.ts';

const OK = '+OK\r\n';
const CROSS_SLOT = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
const DOWN = '-CLUSTERDOWN Hash slot not served\r\n';

function moved(key: string, node: number): string {
  return `-MOVED ${slot(key)} 127.0.0.1:${7000 + node}\r\n`;
}

/** A cluster and a client of node 1's listener for cluster clients. */
function world(): {
  readonly cluster: FakeCluster;
  readonly client: Harness;
  readonly clock: SimulatedClock;
} {
  const clock = new SimulatedClock();
  const cluster = new FakeCluster({ commit: 'now', wallMs: () => clock.wallMs() });
  return { cluster, clock, client: new Harness({ node: cluster.node(1), clock }) };
}

describe('the listener for cluster clients (R23)', () => {
  it('runs what this node leads', () => {
    const { cluster, client } = world();
    const key = cluster.keyOf(1);
    expect(client.run('set', key, 'v')).to.equal(OK);
    expect(client.run('get', key)).to.equal('$1\r\nv\r\n');
    expect(cluster.partitionOf(key).valueOf(key)).to.equal('v');
  });

  it('answers MOVED with the cluster port of whoever leads the slot, for reads and for writes, and appends nothing', () => {
    const { cluster, client } = world();
    const key = cluster.keyOf(2);
    expect(client.run('set', key, 'v')).to.equal(moved(key, 2));
    expect(client.run('get', key)).to.equal(moved(key, 2));
    expect(client.run('del', `{${key}}a`, `{${key}}b`)).to.equal(moved(key, 2));
    expect(cluster.partitionOf(key).records).to.deep.equal([]);
  });

  it('follows a leader that moves, with the next command', () => {
    const { cluster, client } = world();
    const key = cluster.keyOf(2);
    cluster.lead(cluster.partitionOf(key).id, 3);
    expect(client.run('get', key)).to.equal(moved(key, 3));
    cluster.lead(cluster.partitionOf(key).id, 1);
    expect(client.run('get', key)).to.equal('$-1\r\n');
  });

  it('refuses keys of several slots, also of one partition and led here, as Redis Cluster does', () => {
    const { cluster, client } = world();
    const [first, second] = [cluster.keyOf(1), cluster.keyOf(1, 1)];
    expect(cluster.partitionOf(first)).to.equal(cluster.partitionOf(second));
    expect(client.run('mset', first, '1', second, '2')).to.equal(CROSS_SLOT);
    for (const name of ['mget', 'del', 'exists', 'unlink'])
      expect(client.run(name, first, second)).to.equal(CROSS_SLOT);
    expect(client.run('mset', first, '1', `{${first}}b`, '2')).to.equal(OK);
    expect(client.run('mget', first, first, `{${first}}b`)).to.equal(
      '*3\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n2\r\n',
    );
  });

  it('has the arity checked first', () => {
    const { cluster, client } = world();
    expect(client.run('get', cluster.keyOf(2), 'x')).to.equal(
      "-ERR wrong number of arguments for 'get' command\r\n",
    );
  });

  it('speaks of its own partitions where there is no key', () => {
    const { cluster, client } = world();
    const [mine, other] = [cluster.keyOf(1), cluster.keyOf(2)];
    cluster.partitionOf(mine).seed(mine, '1');
    cluster.partitionOf(other).seed(other, '2');
    expect(client.run('dbsize')).to.equal(':1\r\n');
    expect(client.run('keys', '*')).to.equal(`*1\r\n$${mine.length}\r\n${mine}\r\n`);
    expect(client.run('scan', '0')).to.equal(`*2\r\n$1\r\n0\r\n*1\r\n$${mine.length}\r\n${mine}\r\n`);
    expect(client.run('flushall')).to.equal(OK);
    expect(client.run('dbsize')).to.equal(':0\r\n');
    expect(cluster.partitionOf(other).valueOf(other)).to.equal('2');
  });

  it('refuses to empty what it does not lead: a node that leads nothing has done nothing', () => {
    const { cluster, client } = world();
    cluster.lead(0, 2);
    for (const name of ['flushall', 'flushdb'])
      expect(client.run(name)).to.equal('-CLUSTERDOWN This node leads no partition\r\n');
    expect(client.server.table.byName('flushall')?.rejectedCalls).to.equal(1);
    expect(client.run('dbsize')).to.equal(':0\r\n');
    cluster.lead(0, 1);
    expect(client.run('flushall')).to.equal(OK);
  });

  it('counts what it sends away as rejected, and by its prefix', () => {
    const { cluster, client } = world();
    client.run('get', cluster.keyOf(2));
    expect(client.server.table.byName('get')?.rejectedCalls).to.equal(1);
    expect(client.server.counters.errorsByPrefix.get('MOVED')).to.equal(1);
  });

  describe('without a leader', () => {
    it('waits a little, and runs when this node begins to lead', async () => {
      const { cluster, client, clock } = world();
      const key = cluster.keyOf(2);
      const { id } = cluster.partitionOf(key);
      cluster.lead(id, null);
      expect(client.run('set', key, 'v')).to.equal('');
      const { suspension } = client.context;
      expect(suspension).to.not.equal(null);
      cluster.lead(id, 1);
      await clock.until(suspension as Promise<void>);
      expect(client.runAgain()).to.equal(OK);
    });

    it('says who leads it as soon as that is known', async () => {
      const { cluster, client, clock } = world();
      const key = cluster.keyOf(2);
      const { id } = cluster.partitionOf(key);
      cluster.lead(id, null);
      expect(client.run('get', key)).to.equal('');
      cluster.changed();
      await clock.until(client.context.suspension as Promise<void>);
      expect(client.runAgain()).to.equal('');
      cluster.lead(id, 3);
      await clock.until(client.context.suspension as Promise<void>);
      expect(client.runAgain()).to.equal(moved(key, 3));
    });

    for (const [name, change] of [
      ['nobody leads it', (cluster: FakeCluster, id: number) => cluster.lead(id, null)],
      ['its leader is dead', (cluster: FakeCluster) => cluster.dies(2)],
      [
        'this node is to lead it and does not yet',
        (cluster: FakeCluster, id: number) => {
          cluster.node(1).beginning.add(id as PartitionId);
          cluster.lead(id, 1);
        },
      ],
    ] as const) {
      it(`refuses with CLUSTERDOWN when that was in vain: ${name}`, async () => {
        const { cluster, client, clock } = world();
        const key = cluster.keyOf(2);
        change(cluster, cluster.partitionOf(key).id);
        expect(client.run('set', key, 'v')).to.equal('');
        await clock.advance(LIMITS.leaderWaitMsMax - 1);
        expect(client.runAgain()).to.equal('');
        await clock.advance(1);
        expect(client.runAgain()).to.equal(DOWN);
        expect(cluster.partitionOf(key).records).to.deep.equal([]);
        expect(client.context.progress).to.equal(undefined);
      });
    }

    it('waits anew for the next command', async () => {
      const { cluster, client, clock } = world();
      cluster.dies(2);
      for (let count = 0; count < 2; count += 1) {
        expect(client.run('get', cluster.keyOf(2))).to.equal('');
        await clock.advance(LIMITS.leaderWaitMsMax);
        expect(client.runAgain()).to.equal(DOWN);
      }
      expect(clock.timerCount).to.equal(0);
    });
  });

  describe('a leadership that ends while a command runs', () => {
    const ended = new CaskadeError('notLeader', 'Partition 0 is led by another node, or by nobody yet');

    it('is MOVED to the client, for reads and for writes', async () => {
      const { cluster, client } = world();
      const key = cluster.keyOf(1);
      const partition = cluster.partitionOf(key);
      partition.refuseReads = ended;
      partition.refuseWrites = ended;
      for (const words of [
        ['get', key],
        ['set', key, 'v'],
        ['incr', key],
      ]) {
        partition.isOver = false;
        cluster.lead(partition.id, 1);
        const read = partition.readCommitted.bind(partition);
        partition.readCommitted = (...of) => {
          partition.isOver = true;
          cluster.lead(partition.id, 2);
          return read(...of);
        };
        partition.writeRefusal = () => {
          partition.isOver = true;
          cluster.lead(partition.id, 2);
          return ended;
        };
        expect(await client.complete(...words), words.join(' ')).to.equal(moved(key, 2));
      }
    });

    it('is TRYAGAIN where the partition is not over, and never a MOVED without an address', () => {
      const { cluster, client } = world();
      const key = cluster.keyOf(1);
      cluster.partitionOf(key).refuseReads = ended;
      expect(client.run('get', key)).to.equal(`-TRYAGAIN ${ended.message}\r\n`);
    });
  });

  describe('READONLY', () => {
    /** What node 1 knows as a follower. */
    function follow(
      cluster: FakeCluster,
      key: string,
      values: Readonly<Record<string, string>>,
      expiresAtMs = 0,
    ) {
      const reads: StaleReads & { cold: boolean } = {
        cold: false,
        loaded: Promise.resolve(),
        committedOffset: asOffset(10),
        hash: () => 1,
        readCommitted(_database, view, entry) {
          if (this.cold) {
            this.cold = false;
            return false;
          }
          const name = Buffer.from(view.bytes.subarray(view.start, view.end)).toString();
          const value = values[name];
          entry.found = value !== undefined;
          entry.bytes = Buffer.from(value ?? '');
          entry.start = 0;
          entry.end = entry.bytes.length;
          entry.valueLength = entry.end;
          entry.expiresAtMs = value === undefined ? 0 : expiresAtMs;
          entry.uncommittedOffset = -1;
          return true;
        },
      };
      cluster.node(1).staleReads.set(cluster.partitionOf(key).id, reads);
      return reads;
    }

    it('lets a follower here answer reads, and never writes', () => {
      const { cluster, client } = world();
      const key = cluster.keyOf(2);
      follow(cluster, key, { [key]: 'old' });
      expect(client.run('get', key)).to.equal(moved(key, 2));
      expect(client.run('readonly')).to.equal(OK);
      expect(client.run('get', key)).to.equal('$3\r\nold\r\n');
      expect(client.run('mget', key, `{${key}}none`)).to.equal('*2\r\n$3\r\nold\r\n$-1\r\n');
      expect(client.run('strlen', key)).to.equal(':3\r\n');
      expect(client.run('ttl', key)).to.equal(':-1\r\n');
      expect(client.run('exists', key)).to.equal(':1\r\n');
      expect(client.run('set', key, 'x')).to.equal(moved(key, 2));
      expect(client.run('getdel', key)).to.equal(moved(key, 2));
      expect(client.run('readwrite')).to.equal(OK);
      expect(client.run('get', key)).to.equal(moved(key, 2));
    });

    it('goes to the leader when the follower is too old, or knows nothing', () => {
      const { cluster, client } = world();
      const key = cluster.keyOf(2);
      client.run('readonly');
      expect(client.run('get', key)).to.equal(moved(key, 2));
    });

    it('goes to the leader for a key that is due: nobody else can say whether it is gone (R4)', () => {
      const { cluster, client, clock } = world();
      const key = cluster.keyOf(2);
      follow(cluster, key, { [key]: 'v' }, clock.wallMs());
      client.run('readonly');
      expect(client.run('get', key)).to.equal(moved(key, 2));
    });

    it('goes to the leader for what the session itself has written since (R11)', () => {
      const { cluster, client } = world();
      const key = cluster.keyOf(2);
      const { id } = cluster.partitionOf(key);
      follow(cluster, key, { [key]: 'old' });
      client.run('readonly');
      client.session.appended[id] = 10;
      expect(client.run('get', key)).to.equal(moved(key, 2));
      client.session.appended[id] = 9;
      expect(client.run('get', key)).to.equal('$3\r\nold\r\n');
    });

    it('waits for what lies on disk', async () => {
      const { cluster, client } = world();
      const key = cluster.keyOf(2);
      follow(cluster, key, { [key]: 'cold' }).cold = true;
      client.run('readonly');
      expect(await client.complete('get', key)).to.equal('$4\r\ncold\r\n');
    });

    it('is served here while nobody leads the slot', () => {
      const { cluster, client } = world();
      const key = cluster.keyOf(2);
      follow(cluster, key, { [key]: 'v' });
      cluster.dies(2);
      client.run('readonly');
      expect(client.run('get', key)).to.equal('$1\r\nv\r\n');
    });

    it('asks the partition itself where this node leads', () => {
      const { cluster, client } = world();
      const key = cluster.keyOf(1);
      client.run('readonly');
      expect(client.run('set', key, 'v')).to.equal(OK);
      expect(client.run('get', key)).to.equal('$1\r\nv\r\n');
    });
  });
});
