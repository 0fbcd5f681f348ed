import { join } from 'node:path';
import { freePorts } from '../../test/support/free-ports.ts';
import { cpuSecondsOfAll, endAll, eventually, newPeerDirectory, type Peer } from './peer.ts';
import { PeerProcess } from './peer-process.ts';

const SERVERS = 3;
const LEADER_MS_MAX = 30_000;

interface Member {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
}

/** Three etcd servers (Debian's etcd-server, 3.4) with their defaults: a Put is answered when two have it on disk. */
export class EtcdServers implements Peer {
  readonly name = 'etcd x 3';
  readonly settings = 'etcd 3.4, three servers, defaults, KV.Put over gRPC';
  /** The leader's first: a Put sent to another one is passed on to it. */
  readonly addresses: readonly string[];
  readonly #servers: readonly PeerProcess[];
  readonly #directory: string;

  private constructor(servers: readonly PeerProcess[], directory: string, addresses: readonly string[]) {
    this.#servers = servers;
    this.#directory = directory;
    this.addresses = addresses;
  }

  static async start(): Promise<EtcdServers> {
    const directory = newPeerDirectory();
    const ports = await freePorts(SERVERS * 2);
    const members = Array.from({ length: SERVERS }, (_, index) => ({
      name: `etcd${index + 1}`,
      clientPort: ports[index * 2]!,
      peerPort: ports[index * 2 + 1]!,
    }));
    const servers = await Promise.all(members.map((member) => startEtcd(member, members, directory)));
    let leader: Member | undefined;
    const led = async (): Promise<boolean> => {
      for (const member of members) if (await isLeader(member)) leader = member;
      return leader !== undefined;
    };
    await eventually('etcd has a leader', led, LEADER_MS_MAX);
    const byLeader = members.toSorted((left, right) => Number(right === leader) - Number(left === leader));
    const addresses = byLeader.map(({ clientPort }) => `127.0.0.1:${clientPort}`);
    return new EtcdServers(servers, directory, addresses);
  }

  cpuSeconds(): number {
    return cpuSecondsOfAll(this.#servers);
  }

  async stop(): Promise<void> {
    await endAll(this.#servers, this.#directory);
  }
}

function startEtcd(member: Member, members: readonly Member[], directory: string): Promise<PeerProcess> {
  const client = `http://127.0.0.1:${member.clientPort}`;
  const peer = `http://127.0.0.1:${member.peerPort}`;
  const cluster = members.map(({ name, peerPort }) => `${name}=http://127.0.0.1:${peerPort}`).join(',');
  return PeerProcess.start({
    name: member.name,
    words: [
      ...['etcd', '--name', member.name, '--data-dir', join(directory, member.name)],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', cluster, '--initial-cluster-state', 'new', '--logger', 'zap'],
    ],
    ready: /serving client traffic insecurely/,
  });
}

async function isLeader({ clientPort }: Member): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${clientPort}/v3/maintenance/status`, {
    method: 'POST',
    body: '{}',
  }).catch(() => null);
  if (response === null || !response.ok) return false;
  const status = (await response.json()) as {
    readonly header: { readonly member_id: string };
    readonly leader: string;
  };
  return status.leader === status.header.member_id;
}
