import { expect } from 'chai';
import { BatchScan } from '../../src/storage/batch-scan.ts';
import { RecordKind, RecordView } from '../../src/storage/format/record.ts';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine } from '../support/node-machine.ts';

const TTL_MS = 1000;
const LATE_MS_MAX = 100;

async function opened(settings: Readonly<Record<string, string>> = {}): Promise<NodeClient> {
  return NodeClient.open(new NodeMachine({ settings }));
}

async function restarted(client: NodeClient): Promise<NodeClient> {
  client.machine.nextLife({ policy: 'loseAll' });
  return NodeClient.open(client.machine);
}

const dueIn = (client: NodeClient, ms: number): number => client.machine.clock.wallMs() + ms;

/** Details (reasons) of all tombstones in the log, in order. */
async function tombstoneReasons(machine: NodeMachine): Promise<number[]> {
  const reasons: number[] = [];
  const view = new RecordView();
  for (const name of await machine.segmentFiles()) {
    const handle = await machine.fileSystem.open(machine.path(name), 'read');
    const scan = new BatchScan(handle, await handle.size());
    for await (const { bytes, start, header } of scan.batches()) {
      let at = start + 56;
      for (let count = 0; count < header.count; count += 1) {
        expect(view.decode(bytes, at, bytes.length, true)).to.equal(null);
        if (view.kind === RecordKind.tombstone) reasons.push(view.detail);
        at += view.length;
      }
    }
    await handle.close();
  }
  return reasons;
}

describe('expiry (R4)', () => {
  it('a due key is shown neither with its value nor as gone before its tombstone is on disk', async () => {
    const client = await opened();
    const { machine } = client;
    await client.set('K', 'value', dueIn(client, TTL_MS));
    // Only the wall clock: the sweeper's timer is not due, the read is the first to notice.
    machine.clock.wallJump(TTL_MS);
    machine.disk.slow({ writeMs: 3, syncMs: 7 });
    const seen: string[] = [];
    for (let step = 0; step < 20; step += 1) {
      const highWatermark = client.partition.highWatermark;
      const found = client.peek('K');
      seen.push(String(found));
      if (found === null) expect(highWatermark).to.equal(2);
      else expect(highWatermark).to.equal(1);
      await machine.clock.advance(1);
    }
    expect(new Set(seen)).to.deep.equal(new Set(['suspended', 'null']));
    expect(seen.indexOf('null')).to.be.at.least(10);
    // One tombstone, however many asked.
    expect(client.partition.stats().logEndOffset).to.equal(2);
    machine.disk.slow({});
    machine.clock.wallJump(-60_000);
    expect(await (await restarted(client)).value('K')).to.equal(null);
  });

  it('a crash before the tombstone is on disk brings the key back as it was: due, not gone, not shown', async () => {
    const client = await opened();
    const { machine } = client;
    await client.set('K', 'value', dueIn(client, TTL_MS));
    machine.clock.wallJump(TTL_MS);
    machine.disk.slow({ syncMs: 50 });
    expect(client.peek('K')).to.equal('suspended');
    await machine.clock.advance(10);
    machine.disk.slow({});
    const after = await restarted(client);
    expect(after.keyCount()).to.equal(1);
    expect(after.peek('K')).to.equal('suspended');
    expect(await after.value('K')).to.equal(null);
  });

  it('the sweeper writes the tombstone on time, unasked, with its reason', async () => {
    const client = await opened();
    const { machine } = client;
    for (let index = 0; index < 50; index += 1)
      await client.set(`K${index}`, 'v', dueIn(client, TTL_MS + index * 10));
    await client.set('stays', 'v');
    await client.set('deleted', 'v');
    await client.del('deleted');
    await machine.clock.advance(TTL_MS - 1);
    const before = client.keyCount();
    await machine.clock.advance(50 * 10 + LATE_MS_MAX);
    expect(before).to.be.greaterThan(1);
    expect(client.keyCount()).to.equal(1);
    expect(client.partition.stats().expiredKeys).to.equal(50);
    expect(client.partition.stats().expiryLagMs).to.be.at.most(LATE_MS_MAX);
    expect(await tombstoneReasons(machine)).to.deep.equal([0, ...new Array<number>(50).fill(1)]);
  });

  it('a wall clock that jumps back keeps a live key longer and never brings a dead one back', async () => {
    const client = await opened();
    const { machine } = client;
    await client.set('dead', 'v', dueIn(client, TTL_MS));
    await client.set('alive', 'v', dueIn(client, 2 * TTL_MS));
    await machine.clock.advance(TTL_MS + LATE_MS_MAX);
    expect(await client.value('dead')).to.equal(null);
    machine.clock.wallJump(-10 * TTL_MS);
    expect(await client.value('dead')).to.equal(null);
    expect(await client.value('alive')).to.equal('v');
    await machine.clock.advance(5 * TTL_MS);
    expect(await client.value('alive')).to.equal('v');
    await machine.clock.advance(7 * TTL_MS);
    expect(client.keyCount()).to.equal(0);
  });

  it('a wall clock that jumps forth makes keys due at once, and back again before anyone looked, not', async () => {
    const client = await opened();
    const { machine } = client;
    await client.set('K', 'v', dueIn(client, TTL_MS));
    await client.set('L', 'v', dueIn(client, TTL_MS));
    machine.clock.wallJump(TTL_MS);
    expect(await client.value('K')).to.equal(null);
    machine.clock.wallJump(-TTL_MS);
    expect(await client.value('K')).to.equal(null);
    expect(await client.value('L')).to.equal('v');
  });

  it('after a restart, from data and from hints, expiries still fire', async () => {
    for (const large of ['', 'x'.repeat(1500)]) {
      const client = await opened();
      for (let index = 0; index < 6; index += 1)
        await client.set(`K${index}`, `v${large}`, dueIn(client, TTL_MS));
      for (let index = 3; index < 6; index += 1)
        await client.machine.clock.until(client.expire(`K${index}`, dueIn(client, 3 * TTL_MS)));
      await client.machine.clock.settle();
      const after = await restarted(client);
      expect(after.keyCount()).to.equal(6);
      await after.machine.clock.advance(TTL_MS + LATE_MS_MAX);
      expect(after.keyCount()).to.equal(3);
      await after.machine.clock.advance(2 * TTL_MS);
      expect(after.keyCount()).to.equal(0);
    }
  });

  it('EXPIRE of a put that is not committed yet counts', async () => {
    const client = await opened();
    const put = client.put('K', 'v');
    const expire = client.expire('K', dueIn(client, TTL_MS));
    expect(await client.machine.clock.until(put)).to.equal('ok');
    expect(await client.machine.clock.until(expire)).to.equal('ok');
    expect(client.expiryOf('K')).to.equal(client.machine.clock.wallMs() + TTL_MS);
    const after = await restarted(client);
    expect(await after.value('K')).to.equal('v');
    await after.machine.clock.advance(TTL_MS + LATE_MS_MAX);
    expect(after.keyCount()).to.equal(0);
  });

  it('EXPIRE in the past deletes on time, not at once by the index alone', async () => {
    const client = await opened();
    await client.set('K', 'v');
    expect(await client.machine.clock.until(client.expire('K', dueIn(client, -5)))).to.equal('ok');
    expect(await client.value('K')).to.equal(null);
    expect(await (await restarted(client)).value('K')).to.equal(null);
  });

  it('PERSIST, merge, restart: the key stays, whatever the clock', async () => {
    const client = await opened();
    await client.set('K', 'v', dueIn(client, TTL_MS));
    await client.machine.clock.until(client.expire('K', 0));
    await client.machine.clock.until(client.partition.mergeNow());
    const after = await restarted(client);
    await after.machine.clock.advance(10 * TTL_MS);
    expect(await after.value('K')).to.equal('v');
    await after.machine.clock.until(after.partition.mergeNow());
    expect(await (await restarted(after)).value('K')).to.equal('v');
  });

  it('a put without an expiry takes that of the value before it away', async () => {
    const client = await opened();
    await client.set('K', 'mortal', dueIn(client, TTL_MS));
    await client.machine.clock.until(client.expire('K', dueIn(client, TTL_MS)));
    await client.set('K', 'eternal');
    await client.machine.clock.until(client.partition.mergeNow());
    const after = await restarted(client);
    await after.machine.clock.advance(10 * TTL_MS);
    expect(await after.value('K')).to.equal('eternal');
  });

  it('on a full disk a due key is refused, neither shown nor gone, until there is room again', async () => {
    const client = await opened();
    const { machine } = client;
    await client.set('K', 'v', dueIn(client, TTL_MS));
    await client.set('fills', 'x'.repeat(3800));
    machine.disk.arm({ operation: 'write', errno: 'ENOSPC', times: 1e9 });
    expect(await client.set('more', 'x'.repeat(3000))).to.equal('diskFull');
    await machine.clock.advance(TTL_MS + LATE_MS_MAX);
    expect(client.peek('K')).to.equal('refused');
    expect(client.partition.refusal.code).to.equal('diskFull');
    expect(client.keyCount()).to.equal(2);
    machine.disk.clearFaults();
    await machine.clock.advance(1000);
    expect(await client.value('K')).to.equal(null);
    expect(client.keyCount()).to.equal(1);
  });

  it('a sweep whose tombstones met the full disk is done again when there is room', async () => {
    const client = await opened();
    const { machine } = client;
    const due = dueIn(client, TTL_MS);
    for (let index = 0; index < 3; index += 1) await client.set(`K${index}`, 'x'.repeat(1200), due);
    // The tombstones need a new segment.
    await client.set('fills', 'x'.repeat(250));
    machine.disk.arm({ operation: 'create', errno: 'ENOSPC', times: 1e9 });
    await machine.clock.advance(TTL_MS + LATE_MS_MAX);
    machine.disk.clearFaults();
    await machine.clock.advance(60_000);
    expect(client.keyCount()).to.equal(1);
  });
});
