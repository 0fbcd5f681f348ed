import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SystemClock } from '../../src/env/clock.ts';
import { FaultyFileSystem } from '../../src/env/faulty-file-system.ts';
import type { FileSystem } from '../../src/env/file-system.ts';
import { asDatabaseId, asEpochMillis } from '../../src/model/numbers.ts';
import type { CommitListener, LeaderPartition } from '../../src/replication/leader-partition.ts';
import { startStoreServer } from '../../src/server/store-server.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';
import { answeringEarly, droppingSyncs } from '../support/dropping-file-system.ts';
import { batchesOf, orderViolations, replyNote } from '../support/durability-order.ts';
import { viewOf } from '../support/modelled-store.ts';
import { configOf, NodeMachine, PARTITION_DIRECTORY } from '../support/node-machine.ts';
import { PipelinedClient } from '../support/pipelined-client.ts';
import { SeededRandom } from '../support/seeded-random.ts';

type Wrap = (fileSystem: FileSystem) => FileSystem;
const DATABASE = asDatabaseId(0);

interface Outcome {
  readonly replies: number;
  readonly batches: number;
  readonly violations: readonly string[];
}

/** Appends from several turns on a slow disk over a few segments; a note for every commit that the listener is told of. */
async function runPartition(wrap?: Wrap): Promise<Outcome> {
  const machine = new NodeMachine(wrap === undefined ? {} : { wrap });
  const { trace } = machine.disk;
  const node = await machine.open();
  const partition = node.partitions[0] as LeaderPartition;
  let replies = 0;
  const listener: CommitListener = {
    committed: (told) => {
      replies += 1;
      trace.note(replyNote(told.highWatermark));
    },
    inDoubt: (_partition, _offset, error) => {
      throw error;
    },
  };
  machine.disk.slow({ writeMs: 1, syncMs: 3 });
  for (let round = 0; round < 60; round += 1) {
    const value = Buffer.alloc(20 + ((round * 137) % 900), round);
    const key = viewOf(`key${round}`, partition);
    partition.put(DATABASE, key, value, 0, value.length, asEpochMillis(0));
    partition.listen(listener);
    await (round % 3 === 0 ? machine.clock.advance(5) : machine.clock.runTurn());
  }
  await machine.clock.advance(2000);
  expect(partition.highWatermark).to.equal(60);
  const batches = await batchesOf(machine.disk.fileSystem, PARTITION_DIRECTORY);
  return { replies, batches: batches.length, violations: orderViolations(trace.operations, batches) };
}

/** A real client over a real socket, its replies noted as they come in. */
async function runServer(wrap: Wrap = (fileSystem) => fileSystem): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'caskade-order-'));
  const clock = new SystemClock();
  const random = new SeededRandom(3);
  const disk = new FaultyFileSystem({ random, clock });
  const config = configOf({ 'data.dir': directory, 'storage.segmentBytesMax': '8192', 'resp.port': '0' });
  const doors = { fileSystem: wrap(disk.fileSystem), clock, random, logger: new CollectingLogger() };
  const server = await startStoreServer(config, { configFile: '', warnings: [] }, doors, () => {});
  try {
    disk.slow({ syncMs: 2 });
    const client = await PipelinedClient.connect(server.port);
    let replies = 0;
    for (let round = 0; round < 12; round += 1) {
      const commands = Array.from({ length: 5 }, (_, index) => [
        'SET',
        `k${round}.${index}`,
        'v'.repeat(300),
      ]);
      const answered = new Promise<void>((resolve) => {
        let left = commands.length;
        client.sendEach(commands, () => {
          replies += 1;
          disk.trace.note(replyNote(replies));
          left -= 1;
          if (left === 0) resolve();
        });
      });
      await answered;
    }
    client.close();
    const batches = await batchesOf(disk.fileSystem, join(directory, 'partitions/0'));
    return { replies, batches: batches.length, violations: orderViolations(disk.trace.operations, batches) };
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

describe('durability order', () => {
  it('a commit is told after a sync that began when the write of its batch had ended', async () => {
    const { replies, batches, violations } = await runPartition();
    expect(violations).to.deep.equal([]);
    expect(replies).to.be.greaterThan(7);
    expect(batches).to.be.greaterThan(7);
  });

  it('a reply leaves the socket after the sync of its batch', async () => {
    const { replies, batches, violations } = await runServer();
    expect(violations).to.deep.equal([]);
    expect(replies).to.equal(60);
    expect(batches).to.be.at.least(12);
  });

  it('the check reports a store that does not sync', async () => {
    expect((await runPartition(droppingSyncs)).violations).to.not.have.lengthOf(0);
    expect((await runServer(droppingSyncs)).violations).to.not.have.lengthOf(0);
  });

  it('the check reports a store that answers while the sync still runs', async () => {
    expect((await runPartition(answeringEarly)).violations).to.not.have.lengthOf(0);
    expect((await runServer(answeringEarly)).violations).to.not.have.lengthOf(0);
  });
});
