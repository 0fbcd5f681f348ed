import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startZooKeeperIfNone } from '../../../scripts/cluster/find-zookeeper.ts';
import { listenerOn } from '../../../scripts/zookeeper/four-letter-word.ts';
import { findZooKeeper } from '../../../scripts/zookeeper/installation.ts';
import { CaskadeError } from '../../../src/model/errors.ts';
import { freePorts } from '../../support/free-ports.ts';

const said: string[] = [];
const say = (text: string): void => {
  said.push(text);
};

describe('the ZooKeeper of make cluster', () => {
  let directory: string;
  let port: number;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'caskade-zookeeper-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  beforeEach(async () => {
    said.length = 0;
    [port = 0] = await freePorts(1);
  });

  async function refusal(servers: readonly string[]): Promise<CaskadeError> {
    const error = await startZooKeeperIfNone(servers, directory, say).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(CaskadeError);
    return error as CaskadeError;
  }

  async function withListener(answer: string, run: () => Promise<void>): Promise<void> {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', () => socket.end(answer));
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    try {
      await run();
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  }

  it('is started where none answers, used where one does, and keeps its data', async () => {
    const address = `127.0.0.1:${port}`;
    const server = await startZooKeeperIfNone([address], join(directory, 'own'), say);
    try {
      expect(said).to.deep.equal([`ZooKeeper started on ${address} (data in ${join(directory, 'own')})`]);
      expect(await server?.mode()).to.equal('standalone');
      expect(await startZooKeeperIfNone([address], directory, say)).to.equal(null);
      expect(said[1]).to.equal(`ZooKeeper answers on ${address}`);
      await server?.stop();
      await server?.restart();
      expect(await server?.mode()).to.equal('standalone');
    } finally {
      await server?.stop();
    }
    expect(await listenerOn('127.0.0.1', port)).to.equal('nobody');
  }).timeout(30_000);

  it('one of an ensemble that answers is enough', async () => {
    const [gone = 0] = await freePorts(1);
    await withListener('Zookeeper version: 3.9\nMode: follower\n', async () => {
      expect(await startZooKeeperIfNone([`127.0.0.1:${gone}`, `127.0.0.1:${port}`], directory, say)).to.equal(
        null,
      );
    });
  });

  it('who answers otherwise is not one', async () => {
    await withListener('-ERR unknown command\r\n', async () => {
      const error = await refusal([`127.0.0.1:${port}`]);
      expect(error.code).to.equal('portTaken');
      expect(error.message).to.match(/is not a ZooKeeper/);
    });
  });

  it('one without a majority does not do', async () => {
    await withListener('This ZooKeeper instance is not currently serving requests\n', async () => {
      const error = await refusal([`127.0.0.1:${port}`]);
      expect(error).to.include({ code: 'coordinatorUnavailable' });
      expect(error.row.exitCode).to.equal(6);
    });
  });

  it('an administrator may have taken the word from it', async () => {
    await withListener('srvr is not executed because it is not in the whitelist.\n', async () => {
      expect(await listenerOn('127.0.0.1', port)).to.equal('zooKeeper');
    });
  });

  it('an ensemble is not started, nor one of another machine', async () => {
    const [other = 0] = await freePorts(1);
    const error = await refusal([`127.0.0.1:${port}`, `127.0.0.1:${other}`]);
    expect(error.message).to.match(/^no ZooKeeper answers on 127\.0\.0\.1:\d+,127/);
  });
});

describe('where ZooKeeper is installed', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'caskade-zookeeper-home-'));
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  it('ZOOKEEPER_HOME wins, with the jars of its lib', () => {
    mkdirSync(join(home, 'lib'));
    writeFileSync(join(home, 'lib/zookeeper-3.9.3.jar'), '');
    const found = findZooKeeper({ ZOOKEEPER_HOME: home, PATH: process.env.PATH });
    expect(found.ok && found.installation.classPath).to.equal(`${home}/*:${home}/lib/*`);
  });

  it('one that holds none is named, and nothing is installed for it', () => {
    const found = findZooKeeper({ ZOOKEEPER_HOME: home, PATH: process.env.PATH });
    expect(found).to.include({ ok: false, isMissing: false });
    expect(!found.ok && found.reason).to.include(`ZOOKEEPER_HOME is ${home}`);
  });

  it('JAVA_HOME wins over the PATH; without either the command is named that helps', () => {
    mkdirSync(join(home, 'bin'));
    writeFileSync(join(home, 'bin/java'), '');
    mkdirSync(join(home, 'lib'));
    writeFileSync(join(home, 'lib/zookeeper.jar'), '');
    const found = findZooKeeper({ ZOOKEEPER_HOME: home, JAVA_HOME: home, PATH: '' });
    expect(found.ok && found.installation.java).to.equal(join(home, 'bin/java'));
    const missing = findZooKeeper({ ZOOKEEPER_HOME: home, PATH: '' });
    expect(missing).to.include({ ok: false, isMissing: true });
    expect(!missing.ok && missing.reason).to.include('run scripts/setup-system.sh zookeeper');
  });
});
