import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './free-ports.ts';

/** Of Debian's package; its manifest names the jars that it needs. */
const ZOOKEEPER_JAR = '/usr/share/java/zookeeper.jar';
/** Prints what the server logs; without it the server says nothing. */
const LOGGING_JAR = '/usr/share/java/slf4j-simple.jar';
const MAIN_CLASS = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';

const READY_MS_MAX = 30_000;
const READY_POLL_MS = 25;
const WORD_MS_MAX = 1_000;

export type ServerMode = 'standalone' | 'leader' | 'follower';

/** One server's line of the ensemble: both ports are for its peers. */
export interface EnsembleMember {
  readonly id: number;
  readonly quorumPort: number;
  readonly electionPort: number;
}

export interface ZooKeeperServerOptions {
  /** Kept by the caller; without one the server gets a directory of its own, removed by `destroy`. */
  readonly directory?: string;
  /** Default: a free one. */
  readonly clientPort?: number;
  /** The unit of all its timeouts: sessions last between 2 and 20 ticks. Default 200. */
  readonly tickMs?: number;
  /** It is member `id` of these. Default: a server alone. */
  readonly ensemble?: { readonly id: number; readonly members: readonly EnsembleMember[] };
  /** Syncs every transaction. Tests leave it out: a killed process loses nothing without. */
  readonly forceSync?: boolean;
}

/** Children that are alive: none may outlive this process, however it ends. */
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** A ZooKeeper server in a process of its own on 127.0.0.1, which can be stopped, killed and started again. */
export class ZooKeeperServer {
  readonly directory: string;
  readonly clientPort: number;
  readonly #ownsDirectory: boolean;
  #child: ChildProcess | undefined;

  private constructor(options: ZooKeeperServerOptions, clientPort: number) {
    this.clientPort = clientPort;
    this.#ownsDirectory = options.directory === undefined;
    this.directory = options.directory ?? mkdtempSync(join(tmpdir(), 'caskade-zookeeper-'));
    mkdirSync(join(this.directory, 'data'), { recursive: true });
    writeFileSync(join(this.directory, 'zoo.cfg'), configuration(options, this.directory, clientPort));
    const { ensemble } = options;
    if (ensemble !== undefined) writeFileSync(join(this.directory, 'data/myid'), `${ensemble.id}\n`);
  }

  /** Made, not started. */
  static async create(options: ZooKeeperServerOptions = {}): Promise<ZooKeeperServer> {
    const [port = 0] = options.clientPort === undefined ? await freePorts(1) : [options.clientPort];
    return new ZooKeeperServer(options, port);
  }

  /** A server that answers. */
  static async start(options: ZooKeeperServerOptions = {}): Promise<ZooKeeperServer> {
    const server = await ZooKeeperServer.create(options);
    try {
      await server.restart();
    } catch (error) {
      await server.destroy();
      throw error;
    }
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.clientPort}`;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined || !this.isRunning) throw new Error('the ZooKeeper server does not run');
    return pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it logged, in all its lives. */
  get log(): string {
    const path = join(this.directory, 'log');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  async restart(): Promise<void> {
    await this.kill();
    this.spawn();
    await this.ready();
  }

  /** Starts the process without waiting for it to serve. */
  spawn(): void {
    if (this.isRunning) throw new Error('the ZooKeeper server runs already');
    const log = openSync(join(this.directory, 'log'), 'a');
    const child = spawn('java', [...JVM_WORDS, MAIN_CLASS, join(this.directory, 'zoo.cfg')], {
      cwd: this.directory,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    children.add(child);
    child.once('exit', () => children.delete(child));
    child.once('error', () => children.delete(child));
    this.#child = child;
  }

  /** Resolves when it serves clients; in an ensemble: when it has a leader. */
  async ready(): Promise<void> {
    const deadline = performance.now() + READY_MS_MAX;
    while ((await this.mode()) === null) {
      if (!this.isRunning || performance.now() > deadline)
        throw new Error(
          `the ZooKeeper server ${this.address} does not serve (make setup-system?):\n${this.log}`,
        );
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }

  /** Null: it does not serve now. */
  async mode(): Promise<ServerMode | null> {
    const answer = await this.ask('srvr').catch(() => '');
    return (/^Mode: (standalone|leader|follower)$/m.exec(answer)?.[1] as ServerMode | undefined) ?? null;
  }

  /** How many connections of clients it has, ours with `ask` left out. */
  async connectionCount(): Promise<number> {
    const lines = (await this.ask('cons')).split('\n').filter((line) => line.includes('sid=0x'));
    return lines.length;
  }

  /** Answers a four-letter word; rejects when nothing comes. */
  ask(word: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.clientPort, '127.0.0.1');
      let answer = '';
      socket.setTimeout(WORD_MS_MAX, () => socket.destroy(new Error(`${this.address} does not answer`)));
      socket.on('connect', () => socket.write(word));
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(answer));
    });
  }

  /** SIGSTOP: it hangs, and its sockets stay open. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Kills it and removes a directory that is its own. */
  async destroy(): Promise<void> {
    await this.kill();
    if (this.#ownsDirectory) rmSync(this.directory, { recursive: true, force: true });
  }
}

const JVM_WORDS: readonly string[] = [
  '-Xmx128m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xshare:auto',
  '-Dzookeeper.preAllocSize=64',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-cp',
  `${ZOOKEEPER_JAR}:${LOGGING_JAR}`,
];

function configuration(options: ZooKeeperServerOptions, directory: string, clientPort: number): string {
  const { tickMs = 200, ensemble, forceSync = false } = options;
  const lines = [
    `tickTime=${tickMs}`,
    'initLimit=20',
    'syncLimit=5',
    `dataDir=${join(directory, 'data')}`,
    `clientPort=${clientPort}`,
    'clientPortAddress=127.0.0.1',
    'maxClientCnxns=0',
    '4lw.commands.whitelist=*',
    'admin.enableServer=false',
    `forceSync=${forceSync ? 'yes' : 'no'}`,
  ];
  if (ensemble !== undefined) {
    lines.push('standaloneEnabled=false');
    for (const { id, quorumPort, electionPort } of ensemble.members)
      lines.push(`server.${id}=127.0.0.1:${quorumPort}:${electionPort}`);
  }
  return `${lines.join('\n')}\n`;
}
