import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { withClient } from '../support/pipelined-client.ts';
import { runProgram } from '../support/run-program.ts';
import { CASKADE, ServerProcess } from '../support/server-process.ts';

/** The memory engine served an empty store beside a data directory of bitcask, as if its keys were gone. */
describe('the memory engine over a directory that bitcask wrote', () => {
  it('is refused with exit code 5, both engines named, and nothing touched', async () => {
    const server = await ServerProcess.start();
    try {
      await withClient(server.port, (client) => client.run('SET', 'k', 'v'));
      await server.kill('SIGTERM');
      const node = readFileSync(join(server.directory, 'NODE'));
      const flags = ['--resp.port=0', `--data.dir=${server.directory}`, '--storage.engine=memory'];
      const end = await runProgram([...CASKADE, 'server', ...flags]);
      expect(end.stderr).to.match(/^caskade: .*storage\.engine=bitcask.*memory is configured/);
      expect(end.code).to.equal(5);
      expect(readFileSync(join(server.directory, 'NODE')).equals(node)).to.equal(true);
      await server.restart();
      expect(await withClient(server.port, (client) => client.ask('GET', 'k'))).to.equal('v');
    } finally {
      await server.destroy();
    }
  });
});
