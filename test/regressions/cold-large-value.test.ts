import { expect } from 'chai';
import { type Command, PipelinedClient, plain } from '../support/pipelined-client.ts';
import { ServerProcess } from '../support/server-process.ts';

/**
 * A value too large for the cache is kept for the turn in which it was loaded only. A connection that ran its
 * suspended GET at that turn's end came too late, loaded it again, and so on for ever.
 */
describe('a GET of what no cache can hold', () => {
  let server: ServerProcess;

  before(async () => {
    server = await ServerProcess.start({ flags: ['--storage.cacheBytesMax=0'] });
  });
  after(() => server.destroy());

  it('is answered after a restart, with everything behind it', async () => {
    const values = [70_000, 200, 3_000_000, 60_000].map((length, index) => String(index).repeat(length));
    const writer = await PipelinedClient.connect(server.port);
    await writer.pipeline(values.map((value, index): Command => ['SET', `k${index}`, value]));
    await server.kill('SIGTERM');
    await server.restart();
    const gets = values.map((_, index): Command => ['GET', `k${index}`]);
    const readers = await Promise.all([1, 2, 3].map(() => PipelinedClient.connect(server.port)));
    try {
      for (const replies of await Promise.all(readers.map((reader) => reader.pipeline(gets)))) {
        expect(replies.map(plain).map((value, index) => value === values[index])).to.not.include(false);
      }
    } finally {
      for (const reader of readers) reader.close();
    }
  });
});
