import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { processOfPort } from '../../support/cluster/peer-processes.ts';
import { TcpProxy } from '../../support/cluster/tcp-proxy.ts';
import { eventually } from '../../support/pipelined-client.ts';

/** Short enough for a test, and long for a byte on one machine. */
const MOMENT_MS = 60;

describe('the proxy that stands for a network', () => {
  let target: Server;
  let proxy: TcpProxy;
  let heard: string;
  let accepted: Socket[];
  const sockets: Socket[] = [];

  beforeEach(async () => {
    heard = '';
    accepted = [];
    target = createServer((socket) => {
      accepted.push(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString();
        socket.write(chunk.toString().toUpperCase());
      });
    });
    target.listen(0, '127.0.0.1');
    await once(target, 'listening');
    const address = target.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    proxy = await TcpProxy.start(port, 0, (remotePort) =>
      processOfPort(remotePort, [process.pid]) === process.pid ? 'me' : null,
    );
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await proxy.close();
    target.close();
  });

  async function client(): Promise<{ readonly socket: Socket; text: () => string }> {
    const socket = connect(proxy.port, '127.0.0.1');
    sockets.push(socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await once(socket, 'connect');
    return { socket, text: () => text };
  }

  const moment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, MOMENT_MS));

  it('lets everything through', async () => {
    const { socket, text } = await client();
    socket.write('abc');
    await eventually('an echo', async () => text() === 'ABC');
  });

  it('in silence takes connections and bytes, and delivers them afterwards', async () => {
    const { socket, text } = await client();
    proxy.silence();
    socket.write('abc');
    const late = await client();
    late.socket.write('xyz');
    await moment();
    expect(heard).to.equal('');
    await proxy.open();
    await eventually('both echoes', async () => text() === 'ABC' && late.text() === 'XYZ');
  });

  it('is silent one way: what is sent arrives, the answer does not', async () => {
    const { socket, text } = await client();
    proxy.silence('*', ['back']);
    socket.write('abc');
    await eventually('it was heard', async () => heard === 'abc');
    await moment();
    expect(text()).to.equal('');
  });

  it('knows by its process who connected, and is silent for that one alone', async () => {
    const { socket, text } = await client();
    proxy.silence('somebody else');
    socket.write('abc');
    await eventually('an echo', async () => text() === 'ABC');
    proxy.silence('me');
    socket.write('def');
    await moment();
    expect(text()).to.equal('ABC');
  });

  it('refuses as a dead process does, and listens again on the same port', async () => {
    const { socket } = await client();
    const { port } = proxy;
    await proxy.refuse();
    await eventually('it is reset', async () => socket.destroyed);
    const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
    expect(error.code).to.equal('ECONNREFUSED');
    await proxy.open();
    expect(proxy.port).to.equal(port);
    const again = await client();
    again.socket.write('abc');
    await eventually('an echo', async () => again.text() === 'ABC');
  });

  it('is late', async () => {
    const { socket, text } = await client();
    proxy.delay(MOMENT_MS);
    const sentAtMs = performance.now();
    socket.write('abc');
    await eventually('an echo', async () => text() === 'ABC');
    expect(performance.now() - sentAtMs).to.be.at.least(2 * MOMENT_MS - 2);
  });
});
