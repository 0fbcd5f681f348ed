import { createServer } from 'node:net';
import { Client, credentials, type MethodDefinition } from '@grpc/grpc-js';
import { expect } from 'chai';
import { service as healthService } from 'grpc-health-check';
import { SystemClock } from '../../src/env/clock.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { reflectedPackage } from '../../src/rpc/reflected-package.ts';
import { RpcServer, type RpcService } from '../../src/rpc/rpc-server.ts';
import { RpcNode } from './rpc-nodes.ts';

const HOST = '127.0.0.1';

describe('the gRPC server of a node', () => {
  const clock = new SystemClock();
  const servers: RpcServer[] = [];
  const clients: Client[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(servers.splice(0).map((server) => server.stop(100)));
  });

  function serverOf(port: number, services: readonly RpcService[] = [], host = HOST): RpcServer {
    const server = new RpcServer({ host, port }, services, clock);
    servers.push(server);
    return server;
  }

  function clientOf(port: number): Client {
    const client = new Client(`${HOST}:${port}`, credentials.createInsecure());
    clients.push(client);
    return client;
  }

  function healthOf(port: number, service: string): Promise<unknown> {
    const { path, requestSerialize, responseDeserialize } =
      healthService.Check as unknown as MethodDefinition<{ service: string }, { status: string }>;
    return new Promise((resolve) => {
      clientOf(port).makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { service },
        (error, reply) => resolve(error?.details ?? reply?.status),
      );
    });
  }

  async function failureOf(listening: Promise<number>): Promise<CaskadeError> {
    try {
      await listening;
    } catch (error) {
      if (error instanceof CaskadeError) return error;
      throw error;
    }
    throw new Error('it listens');
  }

  it('says that its port is taken, and which setting to change', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, HOST, resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const error = await failureOf(serverOf(port).listen());
    taken.close();
    expect(error.code).to.equal('portTaken');
    expect(error.message).to.equal(
      `cannot listen on ${HOST}:${port}: another process has this port; choose another (rpc.port) or stop that process`,
    );
  });

  it('says that an address is not of this machine', async () => {
    const error = await failureOf(serverOf(0, [], '192.0.2.1').listen());
    expect(error.code).to.equal('usage');
    expect(error.message).to.include('(rpc.host)');
  });

  it('answers the health service for itself and for each service', async () => {
    const node = await RpcNode.start(1);
    expect(await healthOf(node.port, '')).to.equal('NOT_SERVING');
    node.server.setServing(true);
    expect(await healthOf(node.port, '')).to.equal('SERVING');
    expect(await healthOf(node.port, 'caskade.v1.Peer')).to.equal('SERVING');
    expect(await healthOf(node.port, 'caskade.v1.Nothing')).to.include('unknown');
    await node.stop();
  });

  it('describes its services to whoever asks by reflection', async () => {
    const port = await serverOf(0).listen();
    const asked = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
    const call = clientOf(port).makeBidiStreamRequest<Buffer, Buffer>(asked, asIs, asIs);
    // ServerReflectionRequest { list_services (7): "" }
    call.write(Buffer.of(0x3a, 0));
    const answer = await new Promise<Buffer>((resolve, reject) => {
      call.on('data', resolve);
      call.on('error', reject);
    });
    call.end();
    const text = answer.toString('latin1');
    expect(text).to.include('caskade.v1.Peer');
    expect(text).to.include('caskade.v1.Forward');
  });

  it('has the descriptors of all files of proto/', () => {
    const files = Object.values(reflectedPackage()).flatMap((entry) =>
      'fileDescriptorProtos' in entry ? (entry.fileDescriptorProtos as Buffer[]) : [],
    );
    const names = files.map((file) => /caskade\/v1\/\w+\.proto/.exec(file.toString('latin1'))?.[0]);
    expect(names).to.include.members(
      ['common', 'control', 'forward', 'peer', 'replication'].map((name) => `caskade/v1/${name}.proto`),
    );
  });

  it('cuts a call that does not end when the time to stop is over', async () => {
    const method: MethodDefinition<Buffer, Buffer> = {
      path: '/test.Slow/Never',
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    let begun = (): void => {};
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const service: RpcService = {
      name: 'test.Slow',
      definition: { never: method },
      implementation: { never: () => begun() },
      endStreams: () => {},
    };
    const server = serverOf(0, [service]);
    const port = await server.listen();
    const ended = new Promise((resolve) =>
      clientOf(port).makeUnaryRequest(method.path, asIs, asIs, Buffer.alloc(0), resolve),
    );
    await hasBegun;
    await server.stop(20);
    expect(await ended).to.be.instanceOf(Error);
  });
});

const asIs = (bytes: Buffer): Buffer => bytes;
