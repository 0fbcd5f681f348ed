import { expect } from 'chai';
import { type PlainReply, withClient } from '../support/pipelined-client.ts';
import { ServerProcess } from '../support/server-process.ts';

/**
 * A record that lies in several cache blocks is put together in memory of the reader's own. A read promises that its bytes
 * stay what they are until the turn's end; when the next such record overwrote them, MGET answered one key with the
 * value of another.
 */
describe('MGET of values that lie in several blocks each', () => {
  let server: ServerProcess;

  before(async () => {
    server = await ServerProcess.start();
  });
  after(() => server.destroy());

  it('answers each key with its own value', async () => {
    const values = Array.from({ length: 12 }, (_, index) => String.fromCharCode(97 + index).repeat(20_000));
    const keys = values.map((_, index) => `k${index}`);
    await withClient(server.port, async (client) => {
      await client.run('MSET', ...keys.flatMap((key, index) => [key, values[index] as string]));
      const found = (await client.ask('MGET', ...keys)) as PlainReply[];
      expect(found.map((value) => String(value).slice(0, 1))).to.deep.equal('abcdefghijkl'.split(''));
      expect(found).to.deep.equal(values);
    });
  });
});
