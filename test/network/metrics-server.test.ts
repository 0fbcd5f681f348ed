import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { MetricsServer } from '../../src/network/metrics-server.ts';

const source = { contentType: 'text/plain; version=0.0.4', text: () => Promise.resolve('caskade_up 1\n') };

describe('MetricsServer', () => {
  it('serves GET /metrics and nothing else', async () => {
    const server = new MetricsServer(source);
    const port = await server.listen('127.0.0.1', 0);
    const scrape = await fetch(`http://127.0.0.1:${port}/metrics?x=1`);
    expect(scrape.status).to.equal(200);
    expect(scrape.headers.get('content-type')).to.equal(source.contentType);
    expect(await scrape.text()).to.equal('caskade_up 1\n');
    expect((await fetch(`http://127.0.0.1:${port}/other`)).status).to.equal(404);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST' })).status).to.equal(404);
    await server.stop();
  });

  it('answers 500 when the metrics cannot be read', async () => {
    const server = new MetricsServer({ ...source, text: () => Promise.reject(new Error('no')) });
    const port = await server.listen('127.0.0.1', 0);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).to.equal(500);
    await server.stop();
  });

  it('says which port is taken', async () => {
    const first = new MetricsServer(source);
    const port = await first.listen('127.0.0.1', 0);
    const error = await new MetricsServer(source)
      .listen('127.0.0.1', port)
      .catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(CaskadeError);
    expect((error as CaskadeError).code).to.equal('portTaken');
    await first.stop();
  });
});
