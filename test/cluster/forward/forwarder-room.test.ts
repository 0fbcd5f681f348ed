import { expect } from 'chai';
import { ClusterMap } from '../../../src/cluster/cluster-map.ts';
import type { ForwardAnswer } from '../../../src/cluster/forward/forwarded-command.ts';
import { Forwarder } from '../../../src/cluster/forward/forwarder.ts';
import type { ForwardRequest } from '../../../src/cluster/forward/messages.ts';
import { LIMITS } from '../../../src/model/limits.ts';
import {
  asDatabaseId,
  asIncarnation,
  asLeaderEpoch,
  asMonotonicMillis,
  asNodeId,
  asOffset,
  asPartitionId,
} from '../../../src/model/numbers.ts';
import { CLUSTER_FACTS, partitionState } from '../../support/partition-states.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

const TWO = asNodeId(2);
const FOUR_PARTITIONS = {
  ...CLUSTER_FACTS,
  slots: [
    [0, 4095, 0],
    [4096, 8191, 1],
    [8192, 12_287, 2],
    [12_288, 16_383, 3],
  ],
} as const;

describe('the room for forwarded commands', () => {
  let clock: SimulatedClock;
  let sent: ForwardRequest[];
  let forwarder: Forwarder;

  beforeEach(() => {
    clock = new SimulatedClock();
    sent = [];
    // Partition 0 has no leader, the others have.
    const map = ClusterMap.of(FOUR_PARTITIONS, [], (id) =>
      partitionState({ leader: id === 0 ? null : TWO, leaderEpoch: 1, replicas: [2], isr: [2] }),
    );
    forwarder = new Forwarder({
      self: asNodeId(1),
      map: { self: asNodeId(1), map, onChange: () => () => undefined },
      link: { send: (_to, request) => sent.push(request) > 0 },
      service: { received: () => undefined, ended: () => undefined },
      clock,
      incarnation: () => asIncarnation(1),
      limits: { ...LIMITS, forwardBytesMax: 4000 },
    });
    forwarder.opened(TWO);
  });

  afterEach(() => forwarder.stop());

  function forward(partition: number, bytes: number): () => ForwardAnswer['kind'] | null {
    let told: ForwardAnswer | null = null;
    forwarder.forward({
      partition: asPartitionId(partition),
      isWrite: true,
      database: asDatabaseId(0),
      respVersion: 2,
      client: { id: 1, address: '', name: '' },
      command: new Uint8Array(bytes),
      deadlineMs: asMonotonicMillis(clock.monotonicMs() + 1000),
      answered: (answer) => {
        told = answer;
      },
    });
    return () => told?.kind ?? null;
  }

  it('is there for every partition, whatever waits for one that nobody leads', () => {
    const waiting = Array.from({ length: 10 }, () => forward(0, 400));
    expect(forwarder.bytes).equal(4000);
    expect(forward(0, 1)()).equal('refused');
    const others = [forward(1, 5000), forward(2, 500), forward(2, 500)];
    expect(others.map((told) => told())).deep.equal([null, null, null]);
    // More than its share only while there is room for all.
    expect([forward(1, 1)(), forward(2, 1)()]).deep.equal(['refused', 'refused']);
    expect(waiting.map((told) => told())).deep.equal(waiting.map(() => null));
  });

  it('is free again once a command is answered', () => {
    const told = forward(3, 4000);
    expect(forward(3, 1)()).equal('refused');
    const [request] = sent;
    expect(request?.partition).equal(3);
    forwarder.replied(TWO, {
      id: request?.id ?? 0,
      partition: asPartitionId(3),
      round: request?.round ?? 0,
      outcome: 'done',
      isAbsent: false,
      leader: TWO,
      leaderEpoch: asLeaderEpoch(1),
      offset: asOffset(0),
      reply: null,
      error: null,
      expectedSequence: 0,
    });
    expect([told(), forwarder.bytes]).deep.equal(['done', 0]);
    expect(forward(3, 4000)()).equal(null);
  });
});
