import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { asOffset } from '../../src/model/numbers.ts';
import { givenUpText } from '../../src/network/in-doubt.ts';
import { FakePartition } from '../support/fake-partition.ts';

const partition = new FakePartition({ id: 3 });
const offset = asOffset(7);

describe('what a client hears of a write that was given up', () => {
  it('INDOUBT where it may have been written', () => {
    const error = new CaskadeError('inDoubt', 'nobody answered');
    expect(givenUpText(partition, offset, error, false)).to.equal('INDOUBT 3 1 7 nobody answered');
  });

  it('the refusal where nothing of it was written (R22)', () => {
    const error = new CaskadeError('shuttingDown', 'The server is shutting down');
    expect(givenUpText(partition, offset, error, false)).to.equal('CLUSTERDOWN The server is shutting down');
  });

  it('INDOUBT where other partitions had a part in it (R21)', () => {
    const error = new CaskadeError('shuttingDown', 'The server is shutting down');
    expect(givenUpText(partition, offset, error, true)).to.match(/^INDOUBT 3 1 7 /);
  });

  it('TRYAGAIN where another node leads by now: a MOVED without slot and address would send clients nowhere', () => {
    const error = new CaskadeError('notLeader', 'Partition 3 is led by another node, or by nobody yet');
    expect(givenUpText(partition, offset, error, false)).to.equal(`TRYAGAIN ${error.message}`);
  });
});
