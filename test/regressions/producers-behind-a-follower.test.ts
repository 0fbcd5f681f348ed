import { expect } from 'chai';
import { asProducerSequence } from '../../src/model/numbers.ts';
import type { Producer } from '../../src/model/producer.ts';
import type { ProducerTable } from '../../src/replication/producers/producer-table.ts';
import { ReplicaMachine, type TestReplica } from '../support/replica-machine.ts';
import { StoreMachine, type TestStore } from '../support/store-fixture.ts';

const PRODUCER: Producer = { kind: 'client', id: 'a' };
const SEGMENT = { segmentBytesMax: 4 * 1024 };
const COMMANDS = 60;

async function fetchTo(follower: TestReplica, leader: TestStore, end: number): Promise<void> {
  while (follower.store.logEndOffset < end) {
    const slice = await leader.store.readLog(follower.store.logEndOffset, 1);
    await follower.store.appendFetched(Buffer.from(slice.bytes), slice.nextOffset, { epochs: slice.epochs });
  }
  await follower.store.commitTo(leader.store.committedOffset);
}

/**
 * A merge put the snapshot of producers in the place of the first record that it dropped. A follower that had fetched past that place, and not yet all that was dropped, never met the
 * snapshot, and as a leader executed those commands once more (seed 5 of the simulator).
 */
describe('a follower that fetches across a merge (C13, R14)', () => {
  for (const fetched of [1, 20, 40, COMMANDS - 1]) {
    it(`and has ${fetched} of ${COMMANDS} commands before it knows them all after it`, async () => {
      const machine = new StoreMachine(SEGMENT);
      const leader = await machine.openStore();
      const follower = await new ReplicaMachine({ node: 2, ...SEGMENT }).open();
      for (let number = 1; number <= COMMANDS; number += 1) {
        const sequence = asProducerSequence(number);
        leader.store.beginCommand({ producer: PRODUCER, sequence, outcome: Buffer.from('OK') });
        leader.put(`key${number % 3}`, 'x'.repeat(80));
        await leader.flush();
        if (number === fetched) await fetchTo(follower, leader, fetched);
      }
      await leader.roll();
      const merged = await machine.clock.until(leader.merge());
      expect(merged?.recordsDropped).to.be.greaterThan(COMMANDS / 2);
      await fetchTo(follower, leader, leader.store.sealedOffset);
      const table = follower.store.producers as ProducerTable;
      for (let number = 1; number <= COMMANDS; number += 1) {
        const { result } = table.lookup({ producer: PRODUCER, sequence: asProducerSequence(number) }, true);
        expect(result, `command ${number}`).to.equal('done');
      }
    });
  }
});
