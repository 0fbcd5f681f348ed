import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { boundToParent } from '../processes/bound-child.ts';
import {
  dataDirectory,
  LOGBACK_CONFIGURATION,
  type ZooKeeperSettings,
  zooKeeperConfiguration,
} from './configuration.ts';
import { askZooKeeper, modeOf, type ServerMode } from './four-letter-word.ts';
import { findZooKeeper, type ZooKeeperInstallation } from './installation.ts';

const MAIN_CLASS = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
const READY_MS_MAX = 30_000;
const READY_POLL_MS = 25;
/** From SIGTERM to SIGKILL. */
const STOP_MS_MAX = 5_000;
const LOG_CHARACTERS_SHOWN = 2_000;

/** Children that are alive: none may outlive this process, however it ends. */
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** A ZooKeeper server in a process of its own on 127.0.0.1, which can be stopped, killed and started again. */
export class ZooKeeperProcess {
  readonly directory: string;
  readonly clientPort: number;
  readonly #words: readonly string[];
  #child: ChildProcess | undefined;
  #spawnFailure: Error | undefined;

  /** Writes its files; starts nothing. Throws where `installation` is left out and there is none. */
  constructor(settings: ZooKeeperSettings, installation = installedHere()) {
    const { directory, clientPort, ensemble } = settings;
    this.directory = directory;
    this.clientPort = clientPort;
    this.#words = javaWords(installation, directory);
    mkdirSync(dataDirectory(directory), { recursive: true });
    writeFileSync(configurationPath(directory), zooKeeperConfiguration(settings));
    writeFileSync(logbackPath(directory), LOGBACK_CONFIGURATION);
    if (ensemble !== null) writeFileSync(join(dataDirectory(directory), 'myid'), `${ensemble.id}\n`);
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
    const child = this.#child;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** What it logged, in all its lives. */
  get log(): string {
    const path = this.logPath;
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  get logPath(): string {
    return join(this.directory, 'log');
  }

  /** Starts the process without waiting for it to serve. In a group of its own: Ctrl-C is for who started it. */
  spawn(): void {
    if (this.isRunning) throw new Error('the ZooKeeper server runs already');
    const log = openSync(this.logPath, 'a');
    const [command = '', ...words] = this.#words;
    const child = spawn(command, words, { cwd: this.directory, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    children.add(child);
    child.once('exit', () => children.delete(child));
    child.once('error', (error) => {
      children.delete(child);
      this.#spawnFailure = error;
    });
    this.#child = child;
  }

  async restart(): Promise<void> {
    await this.kill();
    this.spawn();
    await this.ready();
  }

  /** Resolves when it serves clients; in an ensemble: when it has a leader. */
  async ready(): Promise<void> {
    const deadline = performance.now() + READY_MS_MAX;
    while ((await this.mode()) === null) {
      if (!this.isRunning || performance.now() > deadline) {
        const why = this.#spawnFailure?.message ?? this.log.slice(-LOG_CHARACTERS_SHOWN);
        throw new Error(`the ZooKeeper server ${this.address} does not serve: ${why}`);
      }
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }

  /** Null: it does not serve now. */
  async mode(): Promise<ServerMode | null> {
    return modeOf(await this.ask('srvr').catch(() => ''));
  }

  /** Answers a four-letter word; rejects when nothing comes. */
  ask(word: string): Promise<string> {
    return askZooKeeper('127.0.0.1', this.clientPort, word);
  }

  /** When the process that runs now is gone; at once where none runs. */
  async ended(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && this.isRunning) await once(child, 'exit');
  }

  /** SIGTERM, and SIGKILL for one that does not end within five seconds. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_MS_MAX);
    const ended = this.ended();
    this.#child?.kill('SIGTERM');
    await ended;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return;
    const ended = this.ended();
    this.#child?.kill('SIGKILL');
    await ended;
  }
}

function installedHere(): ZooKeeperInstallation {
  const found = findZooKeeper();
  if (!found.ok) throw new Error(`${found.reason}: run make setup-system, or set ZOOKEEPER_HOME`);
  return found.installation;
}

const configurationPath = (directory: string): string => join(directory, 'zoo.cfg');
const logbackPath = (directory: string): string => join(directory, 'logback.xml');

function javaWords({ java, classPath }: ZooKeeperInstallation, directory: string): readonly string[] {
  const words = [
    java,
    '-Xmx256m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Xshare:auto',
    '-Dzookeeper.preAllocSize=64',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    `-Dlogback.configurationFile=${logbackPath(directory)}`,
    '-cp',
    classPath,
    MAIN_CLASS,
    configurationPath(directory),
  ];
  return boundToParent(words, 'KILL');
}
