import { expect } from 'chai';
import { withClient } from '../support/pipelined-client.ts';
import { ServerProcess } from '../support/server-process.ts';

/** STRLEN did not ask for the value, and answered the length of whatever was read before it. */
describe('STRLEN', () => {
  let server: ServerProcess;

  before(async () => {
    server = await ServerProcess.start();
  });
  after(() => server.destroy());

  it('answers the length of this value, fresh, with an expiry and after a restart', async () => {
    const lengths = async (): Promise<unknown> =>
      await withClient(server.port, async (client) =>
        (await client.pipeline(['short', 'none', 'long', 'brief'].map((key) => ['STRLEN', key]))).map(
          (reply) => (reply.kind === 'integer' ? reply.value : reply),
        ),
      );
    await withClient(server.port, async (client) => {
      await client.run('SET', 'short', 'ab');
      await client.run('SET', 'brief', 'abc', 'EX', '1000');
      await client.run('SET', 'long', 'x'.repeat(100_000));
    });
    expect(await lengths()).to.deep.equal([2, 0, 100_000, 3]);
    await server.kill('SIGKILL');
    await server.restart();
    expect(await lengths()).to.deep.equal([2, 0, 100_000, 3]);
  });
});
