import { expect } from 'chai';
import { type NodeView, readView, whatIsMissing } from '../../../scripts/cluster/cluster-state.ts';

const view = (isLedHere: boolean, isrSize: number, partition = 0): NodeView => ({
  clusterState: 'ok',
  partitions: [{ partition, isLedHere, isrSize }],
});

describe('whether a cluster serves', () => {
  it('is read from what nodes say of themselves', () => {
    const partitions = [
      '# Partitions',
      'partition0:role=leader,leader=1,epoch=7,log_start=0,leo=0,hw=0,isr=1/3',
      'partition12:role=follower,leader=2,epoch=7,leo=1,hw=1,isr=2',
      'partition2:role=none,leader=none,epoch=7,isr=',
    ];
    expect(readView('cluster_state:fail\r\ncluster_size:3\r\n', partitions.join('\r\n'))).to.deep.equal({
      clusterState: 'fail',
      partitions: [
        { partition: 0, isLedHere: true, isrSize: 2 },
        { partition: 12, isLedHere: false, isrSize: 1 },
        { partition: 2, isLedHere: false, isrSize: 0 },
      ],
    });
    expect(readView('', '')).to.deep.equal({ clusterState: null, partitions: [] });
  });

  it('takes every node to say ok, and every leader to take writes', () => {
    const cases: [NodeView, NodeView, string | null][] = [
      [view(true, 2), view(false, 1), null],
      [view(true, 1), view(false, 3), 'partition 0 has 1 in-sync copies, and writes need 2'],
      [view(false, 3), view(false, 3), 'partition 0 has no leader'],
      [view(true, 3), view(false, 3, 1), 'partition 1 has no leader'],
      [view(true, 3), { ...view(false, 3), clusterState: 'fail' }, 'node02 says cluster_state:fail'],
      [{ clusterState: null, partitions: [] }, view(true, 3), 'node01 does not answer'],
    ];
    for (const [first, second, missing] of cases) {
      const views = new Map([
        ['node01', first],
        ['node02', second],
      ]);
      expect(whatIsMissing(views, 2)).to.equal(missing);
    }
  });
});
