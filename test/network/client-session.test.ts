import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { asEpochMillis, asOffset } from '../../src/model/numbers.ts';
import { ClientSession } from '../../src/network/client-session.ts';
import { FakePartition } from '../support/fake-partition.ts';

/** It waited for nothing any more: a read in the pipeline missed the session's own earlier write, which was only not committed yet. */
describe('regression: a session whose later append was given up', () => {
  it('has its reads wait for what it appended before', () => {
    const partition = new FakePartition();
    const told: number[] = [];
    const session = new ClientSession(1, 'client', 'server', asEpochMillis(0), {
      onCommitted: () => {},
      onInDoubt: (_partition, firstOffset) => void told.push(firstOffset),
    });
    session.appended[partition.id] = 13;
    session.inDoubt(partition, asOffset(14), new CaskadeError('diskFull', 'full'));
    expect(session.appended[partition.id], 'it appended nothing there').to.equal(13);
    session.inDoubt(partition, asOffset(12), new CaskadeError('diskFull', 'full'));
    expect(session.appended[partition.id]).to.equal(11);
    expect(told).to.deep.equal([14, 12]);
  });
});
