import { expect } from 'chai';
import { ConfigError } from '../../src/config/config-error.ts';
import { configEntries, describeConfig } from '../../src/config/describe.ts';
import { type ConfigSources, loadConfig } from '../../src/config/load.ts';
import { ExitCode } from '../../src/model/exit-codes.ts';

const file = (text: string): ConfigSources => ({ file: { path: 'x.yaml', text } });
const flag = (key: string, value: string) => ({ flag: `--${key}`, key, value });

function problemsOf(sources: ConfigSources): readonly string[] {
  try {
    loadConfig(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
  return [];
}

describe('configuration', () => {
  it('of one node alone needs nothing: one partition, one replica, every write flushed', () => {
    const { config, origins, warnings } = loadConfig({});
    expect(config.cluster).to.include({ partitions: 1, replicationFactor: 1, minInsync: 1, flush: 'always' });
    expect(config.resp).to.include({ host: '127.0.0.1', port: 6379, clusterPort: 0 });
    expect(config.coordinator).to.equal('local');
    expect(warnings).to.deep.equal([]);
    expect([...origins.values()].every((origin) => origin === 'default')).to.equal(true);
  });

  it('is taken from defaults, file, environment and flags, the later one winning', () => {
    const text = 'resp:\n  port: 1\n  clusterPort: 2\n  clientsMax: 3\n';
    const { config, origins } = loadConfig({
      ...file(text),
      environment: { CASKADE_RESP__CLUSTERPORT: '20', CASKADE_RESP__CLIENTSMAX: '30' },
      flags: [flag('resp.clientsMax', '300')],
    });
    expect(config.resp).to.include({ host: '127.0.0.1', port: 1, clusterPort: 20, clientsMax: 300 });
    expect(origins.get('resp.host')).to.equal('default');
    expect(origins.get('resp.port')).to.equal('x.yaml:2');
    expect(origins.get('resp.clusterPort')).to.equal('environment CASKADE_RESP__CLUSTERPORT');
    expect(origins.get('resp.clientsMax')).to.equal('flag --resp.clientsMax');
  });

  it('takes sizes and durations with units', () => {
    const { config } = loadConfig(
      file('storage: { segmentBytesMax: 64mb, cacheBytesMax: 1000 }\nreplication:\n  writeTimeoutMs: 2s\n'),
    );
    expect(config.storage.segmentBytesMax).to.equal(64 * 1024 * 1024);
    expect(config.storage.cacheBytesMax).to.equal(1000);
    expect(config.replication.writeTimeoutMs).to.equal(2000);
  });

  it('cannot be changed afterwards', () => {
    const { config } = loadConfig({});
    expect(Object.isFrozen(config) && Object.isFrozen(config.resp)).to.equal(true);
  });

  it('names every problem of every source at once, each with source, key, value and what is allowed', () => {
    const sources: ConfigSources = {
      ...file('resp:\n  port: 66666\n  prot: 1\nstorage:\n  engine: leveldb\n'),
      environment: { CASKADE_MERGE__ENABLED: 'maybe' },
      flags: [flag('cluster.minInsync', '2')],
    };
    expect(problemsOf(sources)).to.deep.equal([
      'x.yaml:2: resp.port: "66666" is not allowed; allowed: an integer from 0 to 65535',
      'x.yaml:3: resp.prot: unknown key; nearest known key: resp.port',
      'x.yaml:5: storage.engine: "leveldb" is not allowed; allowed: bitcask | memory',
      'environment CASKADE_MERGE__ENABLED: merge.enabled: "maybe" is not allowed; allowed: true or false',
      'flag --cluster.minInsync: cluster.minInsync must be at most cluster.replicationFactor; they are 2 and 1',
    ]);
  });

  it('takes no chroot that ZooKeeper would not take for a path', () => {
    const problems = (chroot: string) => problemsOf({ flags: [flag('zookeeper.chroot', chroot)] });
    for (const chroot of ['/a', '/a/b.c', '/.a', '/a..', '/...', '/..a/b'])
      expect(problems(chroot), chroot).to.deep.equal([]);
    for (const chroot of ['/.', '/..', '/a/.', '/a/../b', '/./a', 'a', '/a/', '/'])
      expect(problems(chroot), chroot).to.deep.equal([
        `flag --zookeeper.chroot: zookeeper.chroot: "${chroot}" is not allowed; allowed: a path such as /caskade, without . and .. in it`,
      ]);
  });

  it('that is refused ends with the exit code of a configuration error', () => {
    expect(() => loadConfig(file('x: 1'))).to.throw(ConfigError);
    try {
      loadConfig(file('x: 1\ny: 2'));
    } catch (error) {
      expect((error as ConfigError).row.exitCode).to.equal(ExitCode.configuration);
      expect((error as ConfigError).message).to.match(
        /^configuration refused, 2 problems:\n {2}x\.yaml:1: x: /,
      );
    }
  });

  it('reports a bad value even where a later source overrides it', () => {
    expect(problemsOf({ ...file('resp: { port: x }'), flags: [flag('resp.port', '1')] })).to.have.length(1);
  });

  it('refuses a key that one source gives twice', () => {
    expect(problemsOf(file('resp:\n  port: 1\n  port: 2\n'))).to.deep.equal([
      'x.yaml:3: resp.port: given twice; first by x.yaml:2',
    ]);
    expect(problemsOf(file('storage: { flush: os }\ncluster: { flush: os }\n'))).to.have.length(1);
  });

  it('refuses a value that is missing, a list and a section in the wrong place', () => {
    expect(problemsOf(file('resp:\n  port:\n'))).to.deep.equal([
      'x.yaml:2: resp.port: no value; allowed: an integer from 0 to 65535',
    ]);
    expect(problemsOf(file('resp:\n  port: [1, 2]\n'))[0]).to.match(
      /^x\.yaml:2: resp\.port: "?\[1, 2\]"? is not/,
    );
    expect(problemsOf(file('resp: 6379\n'))[0]).to.match(
      /^x\.yaml:1: resp: "6379" is given to a whole section; its/,
    );
    expect(problemsOf(file('resp: { port: { number: 1 } }\n'))[0]).to.match(
      /resp\.port\.number: unknown key/,
    );
  });

  it('accepts an empty file, and a section whose keys are all commented out', () => {
    for (const text of ['', '# nothing\n', '---\n', 'storage:\n  # engine: memory\n', '~']) {
      expect(problemsOf(file(text)), JSON.stringify(text)).to.deep.equal([]);
    }
  });

  it('names the line of what is not YAML, or more than keys and values', () => {
    expect(problemsOf(file('resp:\n\tport: 1\n'))[0]).to.match(/^x\.yaml:2: not valid YAML: /);
    expect(problemsOf(file('- a\n- b\n'))[0]).to.match(/^x\.yaml:1: the file must hold keys and values/);
    expect(problemsOf(file('6379'))[0]).to.match(/^x\.yaml:1: the file must hold keys and values/);
    expect(problemsOf(file('resp: {port: 1}\n---\nresp: {port: 2}\n'))).to.deep.equal([
      'x.yaml: 2 YAML documents; one is allowed',
    ]);
    expect(problemsOf(file('resp: &a\n  port: 1\nrpc: *a\n'))[0]).to.match(/^x\.yaml:3: rpc: an alias/);
    expect(problemsOf(file('? [a, b]\n: 1\nresp:\n  port: x\n'))).to.have.length(2);
    expect(problemsOf(file('zookeeper:\n  servers:\n    - {a: b}\n'))[0]).to.match(
      /^x\.yaml:3: zookeeper\.servers: an item/,
    );
  });

  it('takes a list as YAML or separated by commas', () => {
    const yaml = loadConfig(file('zookeeper:\n  servers:\n    - a:2181\n    - "[::1]:2182"\n'));
    expect(yaml.config.zookeeper.servers).to.deep.equal(['a:2181', '[::1]:2182']);
    const flags = loadConfig({ flags: [flag('zookeeper.servers', 'a:1, b:2')] });
    expect(flags.config.zookeeper.servers).to.deep.equal(['a:1', 'b:2']);
    expect(problemsOf({ flags: [flag('zookeeper.servers', 'a:1,b')] })).to.have.length(1);
  });

  it('accepts flush where people look for it', () => {
    expect(loadConfig(file('storage: { flush: interval }')).config.cluster.flush).to.equal('interval');
    expect(loadConfig({ environment: { CASKADE_STORAGE__FLUSH: 'os' } }).config.cluster.flush).to.equal('os');
    expect(problemsOf(file('storage: { flush: never }'))).to.deep.equal([
      'x.yaml:1: cluster.flush (as storage.flush): "never" is not allowed; allowed: always | interval | os',
    ]);
  });

  it('reads the environment in any case, and only warns of what another program may have set', () => {
    const { config, warnings } = loadConfig({
      environment: {
        caskade_storage__SegmentBytesMax: '1mb',
        CASKADE_COORDINATOR: 'local',
        CASKADE_PORT: 'tcp://10.0.0.1:6379',
        CASKADE_RESP_PORT: 'tcp://10.0.0.1:6379',
        CASKADE_CONFIG: 'x.yaml',
        OTHER__THING: '1',
      },
    });
    expect(config.storage.segmentBytesMax).to.equal(1024 * 1024);
    expect(warnings).to.deep.equal([
      'environment CASKADE_RESP_PORT is ignored; the variable of resp.port is CASKADE_RESP__PORT',
    ]);
    expect(problemsOf({ environment: { CASKADE_STORAGE__ENGIN: 'memory' } })).to.deep.equal([
      'environment CASKADE_STORAGE__ENGIN: storage.engin: unknown key; nearest known key: storage.engine',
    ]);
  });

  it('never shows a secret', () => {
    expect(problemsOf(file('zookeeper: { auth: hunter2 }'))[0]).to.not.include('hunter2');
    const { config, origins } = loadConfig(file('zookeeper: { auth: "ann:hunter2" }'));
    expect(describeConfig(config, origins).join('\n')).to.not.include('hunter2');
    expect(new Map(configEntries(config)).get('zookeeper.auth')).to.equal('(hidden)');
    expect(new Map(configEntries(loadConfig({}).config)).get('zookeeper.auth')).to.equal('');
  });

  it('shows every key as it could be written again', () => {
    const { config, origins } = loadConfig(file('resp: { port: 7 }'));
    const flags = configEntries(config).map(([key, value]) => flag(key, value));
    expect(loadConfig({ flags: flags.filter(({ value }) => value !== '') }).config).to.deep.equal(config);
    expect(describeConfig(config, origins).find((line) => line.startsWith('resp.port'))).to.match(
      /^resp\.port += 7 +\(x\.yaml:1\)$/,
    );
  });
});

describe('relations between keys', () => {
  const cases: Record<string, [text: string, problem: RegExp]> = {
    'min.insync is at most the replication factor': [
      'cluster: { minInsync: 2 }',
      /minInsync must be at most cluster\.replicationFactor; they are 2 and 1$/,
    ],
    'one node alone has one replica': [
      'cluster: { replicationFactor: 3 }',
      /replicationFactor must be 1 with coordinator local/,
    ],
    'a lease is shorter than a session': [
      'replication: { leaseMs: 6s }',
      /leaseMs must be below zookeeper\.sessionTimeoutMs; they are 6000ms and 6000ms$/,
    ],
    'a poll is shorter than half a lease': [
      'replication: { pollMsMax: 300 }',
      /pollMsMax must be below half of replication\.leaseMs; they are 300ms and 600ms$/,
    ],
    'a member of a cluster says where clients find it': [
      'coordinator: zookeeper\nresp: { host: 0.0.0.0 }',
      /resp\.advertised must say what host clients are to use where resp\.host is 0\.0\.0\.0$/,
    ],
    'a member of a cluster says where others find it': [
      'coordinator: zookeeper\nrpc: { host: "::" }',
      /rpc\.advertised must say what HOST:PORT other nodes are to use where rpc\.host is ::$/,
    ],
    'ports differ': ['metrics: { port: 6379 }', /resp\.port and metrics\.port must differ; both are 6379$/],
  };
  for (const [rule, [text, problem]] of Object.entries(cases)) {
    it(rule, () => {
      expect(problemsOf(file(text))).to.have.length(1);
      expect(problemsOf(file(text))[0]).to.match(problem);
    });
  }

  it('are not judged over a value that was refused', () => {
    expect(problemsOf(file('cluster: { replicationFactor: x, minInsync: 3 }'))).to.have.length(1);
  });
});
