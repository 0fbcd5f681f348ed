import { expect } from 'chai';
import { parseAddress } from '../../src/cli/address.ts';
import { RespClient } from '../../src/cli/resp-client.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import type { Reply } from '../../src/resp/reply.ts';
import { type Answer, CLOSE, FakeServer } from './fake-server.ts';
import { until } from './test-io.ts';

const codeOf = (error: unknown): string => (error instanceof CaskadeError ? error.code : String(error));

describe('RespClient', () => {
  let server: FakeServer;
  let client: RespClient;
  afterEach(async () => {
    client?.close();
    await server.stop();
  });

  async function connect(answer: Answer, version: 2 | 3 = 2): Promise<void> {
    server = await FakeServer.start(answer);
    client = await RespClient.connect(parseAddress(server.address), { version });
  }

  it('pipelined requests resolve in their order, errors among them', async () => {
    await connect(([, index]) => (index === '3' ? '-ERR three\r\n' : `:${index}\r\n`));
    const replies = await Promise.all([1, 2, 3, 4].map((index) => client.request(['X', String(index)])));
    expect(replies).to.deep.equal([
      { kind: 'integer', value: 1 },
      { kind: 'integer', value: 2 },
      { kind: 'error', text: 'ERR three' },
      { kind: 'integer', value: 4 },
    ]);
  });

  it('a push answers no request', async () => {
    const pushes: Reply[] = [];
    await connect(([name]) => (name === 'HELLO' ? '%1\r\n+proto\r\n:3\r\n' : '>1\r\n+news\r\n+PONG\r\n'), 3);
    client.onPush = (push) => pushes.push(push);
    expect(client.version).to.equal(3);
    expect(await client.request(['PING'])).to.deep.equal({ kind: 'simple', text: 'PONG' });
    expect(pushes).to.have.length(1);
  });

  it('requests without a reply are in doubt when the connection ends, later ones are known not to be sent', async () => {
    let closed = 0;
    await connect(() => CLOSE);
    client.onClose = () => {
      closed += 1;
    };
    const pending = await Promise.allSettled([
      client.request(['SET', 'a', '1']),
      client.request(['GET', 'a']),
    ]);
    expect(pending.map((result) => result.status === 'rejected' && codeOf(result.reason))).to.deep.equal([
      'inDoubt',
      'inDoubt',
    ]);
    expect(client.open).to.equal(false);
    expect(await client.request(['GET', 'a']).catch(codeOf)).to.equal('connectionFailed');
    expect(closed).to.equal(1);
  });

  it("takes a server's parting error for the reason of the end", async () => {
    await connect(() => null);
    await until(() => server.sockets.size > 0);
    for (const socket of server.sockets) socket.end('-ERR max number of clients reached\r\n');
    await until(() => !client.open);
    const error: unknown = await client.request(['PING']).catch((reason: unknown) => reason);
    expect((error as Error).message).to.contain('max number of clients reached');
  });

  it('a server that closes at HELLO is a failed connection, not a write in doubt', async () => {
    server = await FakeServer.start(() => CLOSE);
    const attempt = RespClient.connect(parseAddress(server.address), { version: 3 });
    expect(await attempt.catch(codeOf)).to.equal('connectionFailed');
  });
});
