import { expect } from 'chai';
import { editDistance, nearestName } from '../../src/config/nearest.ts';
import { CONFIG_ENTRIES } from '../../src/config/table.ts';

describe('the nearest known name', () => {
  const known = CONFIG_ENTRIES.map(({ key }) => key);

  it('counts insertions, deletions, replacements and swaps of neighbours', () => {
    expect(editDistance('', 'abc')).to.equal(3);
    expect(editDistance('abc', 'abc')).to.equal(0);
    expect(editDistance('port', 'prot')).to.equal(1);
    expect(editDistance('engine', 'engin')).to.equal(1);
    expect(editDistance('kitten', 'sitting')).to.equal(3);
  });

  it('finds slips of the pen, other case, a lost and a wrong section', () => {
    const cases: Record<string, string> = {
      'resp.prot': 'resp.port',
      'storage.segmentbytemax': 'storage.segmentBytesMax',
      'RESP.HOTS': 'resp.host',
      clientsMax: 'resp.clientsMax',
      'network.idleTimeoutMs': 'resp.idleTimeoutMs',
      cordinator: 'coordinator',
    };
    for (const [written, meant] of Object.entries(cases))
      expect(nearestName(written, known), written).to.equal(meant);
  });

  it('proposes nothing where nothing is near', () => {
    expect(nearestName('appendfsync', known)).to.equal(null);
    expect(nearestName('x', known)).to.equal(null);
  });
});
