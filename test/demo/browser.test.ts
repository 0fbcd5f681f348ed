import { expect } from 'chai';
import { type LaidOut, layOut } from './browser.ts';
import { syntheticReport } from './synthetic-report.ts';

const BROWSER_MS_MAX = 60_000;

describe('the report of the demonstration in a browser', function () {
  this.timeout(BROWSER_MS_MAX);
  let page: Readonly<Record<string, readonly LaidOut[]>>;

  before(async () => {
    page = await layOut(syntheticReport(), [
      '#verdict',
      'svg',
      '.curve',
      '.fault rect',
      '.election',
      '#faults td',
    ]);
  });

  const found = (selector: string): readonly LaidOut[] => page[selector] ?? [];

  it('shows the verdict on top', () => {
    const [verdict] = found('#verdict');
    expect(verdict?.name).to.match(/0 lost; all well$/);
    expect(verdict?.top).to.be.within(0, 300);
  });

  it('draws every curve over the time that was measured, in a colour of its own', () => {
    const curves = found('.curve');
    expect(curves.map(({ name }) => name)).to.deep.equal(['writes', 'reads', 'median', '99th of 100']);
    for (const { name, width, fill } of curves) {
      expect(width, name).to.be.above(800);
      expect(fill, name).to.equal('none');
    }
    expect(new Set(curves.map(({ stroke }) => stroke)).size).to.equal(curves.length);
    expect(curves[0]?.height, 'of the writes, which stop for a while').to.be.above(50);
  });

  it('marks the fault as a band and the election as a line, within the charts', () => {
    const [chart] = found('svg');
    for (const mark of [...found('.fault rect'), ...found('.election')]) {
      expect(mark.height).to.be.above(100);
      expect(mark.left).to.be.within(chart!.left, chart!.left + chart!.width);
    }
    expect(found('.fault rect').map(({ width }) => width > 300)).to.deep.equal([true, true]);
    expect(found('.election')).to.have.length(2);
  });

  it('lists the fault with its figures', () => {
    expect(found('#faults td')[0]?.name).to.equal('node 1 is killed');
  });
});
