import { expect } from 'chai';
import {
  decodeCluster,
  decodeController,
  decodeControllerEpoch,
  decodeNode,
  decodePartition,
  encodeCluster,
  encodeController,
  encodeControllerEpoch,
  encodeNode,
  encodePartition,
  idOfChild,
  partitionOfChild,
} from '../../src/coordination/documents.ts';
import { asControllerEpoch, asIncarnation, asPartitionId } from '../../src/model/numbers.ts';
import { CLUSTER_FACTS, node, partitionState } from '../support/partition-states.ts';

const P0 = asPartitionId(0);
const overTheWire = (document: unknown): unknown => JSON.parse(JSON.stringify(document));

function unwrap<Value>(decoded: { ok: true; value: Value } | { ok: false; reason: string }): Value {
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.value;
}

describe('documents of the coordinator', () => {
  it('come back as they were', () => {
    const state = partitionState({ isr: [1], elr: [2], leader: null, adding: [3] });
    for (const written of [state, { ...state, minInsync: 2 }])
      expect(unwrap(decodePartition(P0, overTheWire(encodePartition(written)), 7))).to.deep.equal(written);
    expect(unwrap(decodeCluster(overTheWire(encodeCluster(CLUSTER_FACTS)), 0))).to.deep.equal(CLUSTER_FACTS);
    const registration = {
      nodeId: node(3),
      incarnation: asIncarnation(9),
      addresses: { client: 'a:1' },
      rack: 'r',
    };
    expect(unwrap(decodeNode(node(3), overTheWire(encodeNode(registration))))).to.deep.equal(registration);
    const controller = {
      nodeId: node(3),
      incarnation: asIncarnation(9),
      controllerEpoch: asControllerEpoch(4),
    };
    expect(unwrap(decodeController(overTheWire(encodeController(controller))))).to.deep.equal(controller);
    expect(unwrap(decodeControllerEpoch(overTheWire(encodeControllerEpoch(asControllerEpoch(4)))))).to.equal(
      4,
    );
  });

  it('0.2: unknown fields survive a rewrite', () => {
    const written = { ...(encodePartition(partitionState()) as object), colour: 'blue', more: { deep: [1] } };
    const decoded = decodePartition(P0, overTheWire(written), 8);
    if (!decoded.ok) throw new Error(decoded.reason);
    expect(decoded.value).to.not.have.property('colour');
    expect(encodePartition(decoded.value, decoded.unknown)).to.deep.include({
      colour: 'blue',
      more: { deep: [1] },
    });
  });

  it('are refused with path and field when they are not what they must be', () => {
    const good = encodePartition(partitionState()) as Record<string, unknown>;
    const bad: [change: Record<string, unknown>, field: string][] = [
      [{ format: 2 }, 'format'],
      [{ uuid: 'short' }, 'uuid'],
      [{ isr: [1, 'x'] }, 'isr'],
      [{ leader: -1 }, 'leader'],
      [{ leaderEpoch: 1.5 }, 'leaderEpoch'],
      [{ recovery: 'maybe' }, 'recovery'],
    ];
    for (const [change, field] of bad) {
      const decoded = decodePartition(P0, { ...good, ...change }, 1);
      expect(decoded.ok, field).to.equal(false);
      if (!decoded.ok) expect(decoded.reason).to.contain(`/partitions/0: ${field}`);
    }
    for (const nothing of [null, undefined, 7, 'text', []]) {
      expect(decodePartition(P0, nothing, 1).ok).to.equal(false);
      expect(decodeCluster(nothing, 1).ok).to.equal(false);
      expect(decodeNode(node(1), nothing).ok).to.equal(false);
      expect(decodeController(nothing).ok).to.equal(false);
      expect(decodeControllerEpoch(nothing).ok).to.equal(false);
    }
  });

  it('children that are no numbers name nobody', () => {
    expect(['0', '12', '01', '-1', 'x', '1e3', ''].map(idOfChild)).to.deep.equal([
      0,
      12,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(partitionOfChild('4')).to.equal(4);
    expect(partitionOfChild('four')).to.equal(undefined);
  });
});
