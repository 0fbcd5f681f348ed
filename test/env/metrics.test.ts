import { expect } from 'chai';
import { type Metrics, NullMetrics, PrometheusMetrics } from '../../src/env/metrics.ts';
import { InvariantError } from '../../src/model/errors.ts';

async function linesOf(metrics: Metrics): Promise<string[]> {
  return (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('the metrics', () => {
  it('count, show and bucket under the prefix of the product', async () => {
    const metrics = new PrometheusMetrics();
    const appends = metrics.counter({ name: 'appends_total', help: 'Appends.', labelNames: ['partition'] });
    appends.increment(2, { partition: '0' });
    appends.increment(undefined, { partition: '0' });
    metrics.gauge({ name: 'log_bytes', help: 'Bytes.' }).set(7);
    metrics.histogram({ name: 'sync_seconds', help: 'Syncs.', buckets: [0.001, 0.1] }).observe(0.01);
    expect(await linesOf(metrics)).to.deep.equal([
      'caskade_appends_total{partition="0"} 3',
      'caskade_log_bytes 7',
      'caskade_sync_seconds_bucket{le="0.001"} 0',
      'caskade_sync_seconds_bucket{le="0.1"} 1',
      'caskade_sync_seconds_bucket{le="+Inf"} 1',
      'caskade_sync_seconds_sum 0.01',
      'caskade_sync_seconds_count 1',
    ]);
    expect(metrics.contentType).to.contain('text/plain');
  });

  it('ask for a lazy value at each scrape, and forget samples that are gone', async () => {
    const metrics = new PrometheusMetrics();
    let count = 5;
    metrics.counter({ name: 'commands_total', help: 'Commands.', collect: () => count });
    let partitions = ['0', '1'];
    metrics.gauge({
      name: 'keys',
      help: 'Keys.',
      labelNames: ['partition'],
      collect: () => partitions.map((partition) => ({ labels: { partition }, value: 1 })),
    });
    expect(await linesOf(metrics)).to.deep.equal([
      'caskade_commands_total 5',
      'caskade_keys{partition="0"} 1',
      'caskade_keys{partition="1"} 1',
    ]);
    count = 6;
    partitions = ['1'];
    expect(await linesOf(metrics)).to.deep.equal([
      'caskade_commands_total 6',
      'caskade_keys{partition="1"} 1',
    ]);
  });

  it('refuse names that are not base units, not snake case, or taken', () => {
    const metrics = new PrometheusMetrics();
    for (const name of ['lag_ms', 'cache_mb', 'Keys', 'keys-now', 'caskade_keys']) {
      expect(() => metrics.gauge({ name, help: 'x' }), name).to.throw(InvariantError);
    }
    expect(() => metrics.counter({ name: 'appends', help: 'x' })).to.throw(InvariantError, '_total');
    metrics.gauge({ name: 'keys', help: 'x' });
    expect(() => metrics.gauge({ name: 'keys', help: 'x' })).to.throw('caskade_keys');
  });

  it('of two servers in one process do not meet', async () => {
    new PrometheusMetrics().gauge({ name: 'keys', help: 'x' }).set(1);
    const other = new PrometheusMetrics();
    expect(await linesOf(other)).to.deep.equal([]);
    other.gauge({ name: 'keys', help: 'x' }).set(2);
    expect(await linesOf(other)).to.deep.equal(['caskade_keys 2']);
  });

  it('can watch nothing', async () => {
    const metrics = new NullMetrics();
    metrics.counter().increment();
    metrics.gauge().set(1);
    metrics.histogram().observe(1);
    expect(await metrics.text()).to.equal('');
  });
});
