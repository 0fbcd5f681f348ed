import { expect } from 'chai';
import { asOffset } from '../../../src/model/numbers.ts';
import { differences, type ReplicaDigest } from '../../support/cluster/replica-digests.ts';

const replica = (node: number, partition: number, digest: string, offset = 10): ReplicaDigest => ({
  node,
  partition,
  digest: { offset: asOffset(offset), digest, keys: 3 },
});

describe('replicas are compared by digest', () => {
  const same = [replica(1, 0, 'a'), replica(2, 0, 'a'), replica(1, 1, 'b'), replica(2, 1, 'b')];

  it('and found equal', () => {
    expect(differences(same, 2)).to.deep.equal([]);
  });

  it('and found equal where only the ends of their logs differ', () => {
    expect(differences([replica(1, 0, 'a'), replica(2, 0, 'a', 9)], 2)).to.deep.equal([]);
  });

  it('and found different by content', () => {
    expect(differences([...same, replica(3, 0, 'b'), replica(3, 1, 'b')], 3)).to.deep.equal([
      'partition 0: node 1 offset 10, 3 keys, digest a; node 2 offset 10, 3 keys, digest a; node 3 offset 10, 3 keys, digest b',
    ]);
  });

  it('and missed where one is not there or cannot be opened', () => {
    expect(differences(same.slice(0, 3), 2)).to.have.length(1);
    const unusable = { node: 1, partition: 0, digest: null };
    expect(differences([unusable, { ...unusable, node: 2 }], 2)).to.have.length(1);
  });
});
