import { expect } from 'chai';
import { syntheticReport } from './synthetic-report.ts';

describe('the report of the demonstration', () => {
  const html = syntheticReport();

  it('needs nothing from outside', () => {
    expect(html).not.to.match(/https?:|src=|href=|@import|url\(/);
  });

  it('draws throughput and latency over the whole time', () => {
    const names = [...html.matchAll(/<polyline class="curve" data-name="([^"]+)"/g)].map(([, name]) => name);
    expect(names).to.deep.equal(['writes', 'reads', 'median', '99th of 100']);
    const points = /data-name="writes"[^>]*points="([^"]+)"/.exec(html)?.[1]?.split(' ') ?? [];
    expect(points).to.have.length(16);
    expect(html).not.to.contain('NaN');
  });

  it('marks faults and elections in both', () => {
    expect(html.match(/<g class="fault">/g)).to.have.length(2);
    expect(html.match(/<line class="election"/g)).to.have.length(2);
  });

  it('says the verdict first, and escapes what others say', () => {
    expect(html).to.contain('<p id="verdict" class="well">12,000 writes acknowledged, 0 lost; all well</p>');
    expect(html).to.contain('node &lt;2&gt; leads');
    expect(html).not.to.contain('node <2>');
  });
});
