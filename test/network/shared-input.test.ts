import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { SharedInput } from '../../src/network/shared-input.ts';

/** Accepts one connection and hands over both of its ends. */
async function pair(
  adopt: (accepted: Socket) => Socket,
): Promise<{ client: Socket; socket: Socket; accepted: Socket; end: () => Promise<void> }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as { port: number };
  const client = connect(address.port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  const socket = adopt(accepted);
  const end = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    client.destroy();
    socket.destroy();
    await closed;
  };
  return { client, socket, accepted, end };
}

describe('SharedInput', () => {
  it('reads accepted sockets through one buffer on this version of Node', async () => {
    const input = new SharedInput();
    const backing = new Set<ArrayBufferLike>();
    const received: string[] = [];
    const { client, socket, accepted, end } = await pair((each) =>
      input.adopt(each, (chunk) => {
        backing.add(chunk.buffer);
        received.push(chunk.toString());
        socketWrite();
      }),
    );
    const socketWrite = (): void => void socket.write('answer');
    expect(socket).not.to.equal(accepted);
    for (const word of ['one', 'two']) {
      client.write(word);
      await once(client, 'data');
    }
    expect(received).to.deep.equal(['one', 'two']);
    expect(backing.size).to.equal(1);
    // `end` only resolves if the server knows that the adopted socket is gone.
    await end();
  });

  it('tells when the peer has ended its side', async () => {
    const input = new SharedInput();
    const { client, socket, end } = await pair((each) => input.adopt(each, () => {}));
    const ended = once(socket, 'end');
    client.end('last');
    await ended;
    await end();
  });
});
