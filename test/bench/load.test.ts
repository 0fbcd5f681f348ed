import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { expect } from 'chai';
import { Latencies } from '../../bench/cluster/load/latencies.ts';
import type { Routes } from '../../bench/cluster/load/load-client.ts';
import { runLoad } from '../../bench/cluster/load/run-load.ts';
import { keyOf, RequestTemplate, type Workload } from '../../bench/cluster/load/workload.ts';
import { atOneLeader, keyInRange, routesBySlot } from '../../bench/peers/cluster-slots.ts';
import { slotOf } from '../../src/cluster/slots.ts';

const OPTIONS = { connections: 2, keys: 1000, warmUpMs: 20, measureMs: 60 };
const SET: Workload = { command: 'SET', perUnit: 1, wait: 0, window: 4 };
const PAIR: Workload = { ...SET, wait: 2 };

/** Answers every command of a packet, which is whole: by what `answer` says to its name. */
async function answering(answer: (name: string) => string): Promise<{ server: Server; routes: Routes }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const names = chunk.toString('latin1').match(/(?<=\$[34]\r\n)(?:SET|GET|WAIT)(?=\r\n)/g) ?? [];
      socket.write(names.map(answer).join(''));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  return { server, routes: { endpoints: [{ host: '127.0.0.1', port }], keyAt: null, laneOf: null } };
}

async function load(workload: Workload, answer: (name: string) => string): Promise<number | string> {
  const { server, routes } = await answering(answer);
  try {
    return (await runLoad(workload, routes, OPTIONS, () => 0)).operations;
  } catch (error) {
    return (error as Error).message;
  } finally {
    server.close();
  }
}

describe('the client program of the cluster benchmark', () => {
  it('counts the commands that were answered, WAITs not', async () => {
    expect(await load(PAIR, (name) => (name === 'WAIT' ? ':2\r\n' : '+OK\r\n')))
      .to.be.a('number')
      .above(0);
  });

  it('counts all SETs before one WAIT once it is answered', async () => {
    const sixteen = { ...PAIR, perUnit: 16, window: 1 };
    const operations = await load(sixteen, (name) => (name === 'WAIT' ? ':2\r\n' : '+OK\r\n'));
    expect(Number(operations) % 16).to.equal(0);
  });

  it('fails the row on an error reply', async () => {
    expect(await load(SET, () => '-NOREPLICAS not now\r\n')).to.match(/fails the row: -NOREPLICAS/);
  });

  it('fails the row when a WAIT counts too few replicas', async () => {
    const message = await load(PAIR, (name) => (name === 'WAIT' ? ':1\r\n' : '+OK\r\n'));
    expect(message).to.match(/fails the row: :1/);
  });

  it('fails the row when a GET finds nothing', async () => {
    expect(await load({ ...SET, command: 'GET' }, () => '$-1\r\n')).to.match(/fails the row: \$-1/);
  });

  it('encodes the key that it means', () => {
    const template = new RequestTemplate('GET');
    const bytes = Buffer.alloc(template.bytes + 3);
    expect(template.write(bytes, 3, 70_543)).to.equal(bytes.length);
    expect(bytes.toString('latin1', 3)).to.equal(`*2\r\n$3\r\nGET\r\n$16\r\n${keyOf(70_543)}\r\n`);
  });

  it('gives percentiles within a hundredth', () => {
    const latencies = new Latencies();
    for (let ms = 1; ms <= 100; ms += 1) latencies.record(ms, 2);
    expect(latencies.percentile(0.5)).to.be.closeTo(50, 1);
    expect(latencies.percentile(0.99)).to.be.closeTo(99, 1.5);
    expect(latencies.count).to.equal(200);
  });

  it('sends a key where its slot is led', () => {
    const ranges = [
      { first: 0, last: 8000, master: { host: '127.0.0.1', port: 1 } },
      { first: 8001, last: 16_383, master: { host: '127.0.0.1', port: 2 } },
    ];
    const slot = (key: string): number => slotOf(Buffer.from(key), 0, key.length);
    const routes = routesBySlot(ranges, 100);
    for (let key = 0; key < 100; key += 1)
      expect(routes.laneOf?.(key)).to.equal(slot(keyOf(key)) > 8000 ? 1 : 0);
    const one = atOneLeader(routes, 100);
    for (let index = 0; index < one.keys; index += 1)
      expect(slot(keyOf(one.routes.keyAt?.(index) ?? -1))).to.be.at.most(8000);
    expect(slot(keyInRange(8001, 8100))).to.be.within(8001, 8100);
  });

  it('refuses a cluster in which a slot has no leader', () => {
    const half = [{ first: 0, last: 8000, master: { host: '127.0.0.1', port: 1 } }];
    expect(() => routesBySlot(half, 10)).to.throw(/without a leader/);
  });
});
