import { expect } from 'chai';
import { encodeController, encodeControllerEpoch } from '../../../src/coordination/documents.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asNodeId,
  asPartitionId,
  asPartitionVersion,
} from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { type ControllerTexts, ControllerWatch } from './controller-watch.ts';
import { Findings } from './findings.ts';

function texts(nodeId: number, controllerEpoch: number): ControllerTexts {
  const epoch = asControllerEpoch(controllerEpoch);
  const controller = { nodeId: asNodeId(nodeId), incarnation: asIncarnation(1), controllerEpoch: epoch };
  return {
    controller: JSON.stringify(encodeController(controller)),
    epoch: JSON.stringify(encodeControllerEpoch(epoch, {})),
  };
}

const written = (version: number, controllerEpoch: number): PartitionState =>
  ({
    id: asPartitionId(0),
    version: asPartitionVersion(version),
    controllerEpoch: asControllerEpoch(controllerEpoch),
  }) as PartitionState;

describe('the watch over controllers', () => {
  const found = (look: (watch: ControllerWatch) => void): readonly string[] => {
    const findings = new Findings(() => 0);
    look(new ControllerWatch(findings));
    return findings.list.map(({ text }) => text);
  };

  it('sees one reign after the other, and writes of each', () => {
    const list = found((watch) => {
      watch.look(texts(1, 1), [written(1, 1)], 0);
      watch.look({ ...texts(1, 1), controller: null }, [written(2, 1)], 0);
      watch.look(texts(2, 2), [written(2, 1)], 0);
      watch.look(texts(2, 2), [written(3, 2)], 0);
    });
    expect(list).to.deep.equal([]);
  });

  it('R7: two nodes that take the same epoch', () => {
    const list = found((watch) => {
      watch.look(texts(1, 2), [], 0);
      watch.look(texts(3, 2), [], 0);
    });
    expect(list).to.have.length(1);
    expect(list[0]).to.contain('node 3 reigns in controller epoch 2');
  });

  it('W8: a write of a controller whose epoch is over', () => {
    const list = found((watch) => {
      watch.look(texts(1, 1), [written(1, 1)], 0);
      watch.look(texts(2, 2), [written(2, 1)], 0);
    });
    expect(list).to.have.length(1);
    expect(list[0]).to.contain('(W8)');
  });

  it('R17: takes what the coordinator knows after a loss as it is, and goes on from there', () => {
    const list = found((watch) => {
      watch.look(texts(1, 3), [written(4, 3)], 0);
      watch.look(texts(2, 2), [written(3, 1)], 1);
      watch.look(texts(2, 2), [written(4, 1)], 1);
      watch.look(texts(1, 2), [], 1);
    });
    expect(list).to.have.length(2);
    expect(list[0]).to.contain('(W8)');
    expect(list[1]).to.contain('node 1 reigns in controller epoch 2');
  });
});
