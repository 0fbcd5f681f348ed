import { expect } from 'chai';
import { asControllerEpoch, asLeaderEpoch, asPartitionVersion } from '../../../src/model/numbers.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { stateOf, UUID } from './views.ts';

const accepts = (
  seen: {
    readonly controllerEpoch?: number;
    readonly uuid?: string | null;
    readonly leaderEpoch?: number;
    readonly version?: number;
  },
  told: {
    readonly controllerEpoch?: number;
    readonly uuid?: string;
    readonly leaderEpoch?: number;
    readonly version?: number;
  },
) =>
  RULES.acceptsState(
    {
      controllerEpochMax: asControllerEpoch(seen.controllerEpoch ?? 3),
      uuid: seen.uuid === undefined ? UUID : seen.uuid,
      leaderEpochMax: asLeaderEpoch(seen.leaderEpoch ?? 5),
      versionMax: asPartitionVersion(seen.version ?? 7),
    },
    asControllerEpoch(told.controllerEpoch ?? 3),
    {
      ...stateOf({ leaderEpoch: told.leaderEpoch ?? 5, version: told.version ?? 7 }),
      uuid: told.uuid ?? UUID,
    },
  );

describe('a pushed state (I1, 2.2)', () => {
  it('over all small sets is newer, known or older by (leader epoch, version)', () => {
    for (const leaderEpoch of [4, 5, 6]) {
      for (const version of [6, 7, 8]) {
        const difference = leaderEpoch - 5 || version - 7;
        const expected = difference > 0 ? 'newer' : difference < 0 ? 'older' : 'known';
        expect(accepts({}, { leaderEpoch, version })).to.equal(expected);
      }
    }
  });

  it('KAFKA-1096, KAFKA-6082: never from an older controller, whatever it says', () => {
    expect(accepts({}, { controllerEpoch: 2, leaderEpoch: 9, version: 9 })).to.equal('older');
    expect(accepts({}, { controllerEpoch: 4, version: 8 })).to.equal('newer');
  });

  it('R17: after a coordinator lost writes a lower version of a newer epoch is newer', () => {
    expect(accepts({ version: 9 }, { leaderEpoch: 6, version: 4 })).to.equal('newer');
    expect(accepts({ version: 9 }, { version: 8 }), 'the same epoch').to.equal('older');
  });

  it('of a partition never seen is newer, of another uuid is another partition', () => {
    expect(accepts({ uuid: null }, { version: 0, leaderEpoch: 0 })).to.equal('newer');
    expect(accepts({}, { uuid: 'cd'.repeat(16), version: 99 })).to.equal('otherPartition');
  });
});
