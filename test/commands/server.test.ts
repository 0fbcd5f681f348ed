import { expect } from 'chai';
import { describeArguments } from '../../src/commands/argument-hints.ts';
import { humanBytes } from '../../src/commands/server/info-text.ts';
import { Harness } from './harness.ts';

/** INFO's lines as a map, without the titles. */
function info(harness: Harness, ...sections: string[]): Map<string, string> {
  const lines = harness
    .run('info', ...sections)
    .split('\r\n')
    .filter((line) => /^[a-z]\w*(\|\w+)?:/.test(line));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

function titles(harness: Harness, ...sections: string[]): string[] {
  return harness
    .run('info', ...sections)
    .split('\r\n')
    .filter((line) => line.startsWith('# '));
}

describe('INFO', () => {
  it('has every field that clients and tools read', () => {
    const fields = info(new Harness(), 'everything');
    const wanted = `redis_version redis_mode run_id tcp_port process_id uptime_in_seconds executable config_file
      connected_clients maxclients blocked_clients tracking_clients pubsub_clients watching_clients used_memory
      used_memory_human used_memory_rss used_memory_peak used_memory_dataset used_memory_overhead used_memory_lua
      maxmemory maxmemory_policy mem_fragmentation_ratio mem_clients_normal mem_allocator loading async_loading
      rdb_bgsave_in_progress rdb_last_bgsave_status aof_enabled aof_rewrite_in_progress aof_last_write_status
      total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes
      total_net_output_bytes instantaneous_input_kbps instantaneous_output_kbps rejected_connections expired_keys
      evicted_keys keyspace_hits keyspace_misses pubsub_channels pubsub_patterns tracking_total_keys
      total_error_replies total_reads_processed total_writes_processed acl_access_denied_auth role connected_slaves
      master_replid master_repl_offset repl_backlog_size used_cpu_sys used_cpu_user cluster_enabled partition0
      cache_hits cache_misses cache_hit_rate segments dead_bytes merges flush_mode`;
    for (const name of wanted.split(/\s+/)) expect(fields.has(name), name).to.equal(true);
    expect(fields.get('redis_version')).to.equal('7.2.4');
    expect(fields.get('loading')).to.equal('0');
    expect(fields.get('process_id')).to.equal('4711');
    expect(fields.get('mem_fragmentation_ratio')).to.equal('2.00');
    expect(fields.get('cache_hit_rate')).to.equal('0.75');
  });

  it('shows the sections asked for, in its own order', () => {
    const harness = new Harness();
    const defaults = titles(harness);
    expect(defaults).to.include('# Partitions').and.not.include('# Commandstats');
    expect(titles(harness, 'default')).to.deep.equal(defaults);
    expect(titles(harness, 'CPU', 'server')).to.deep.equal(['# Server', '# CPU']);
    expect(titles(harness, 'all')).to.include('# Commandstats');
    expect(titles(harness, 'default', 'commandstats').length).to.equal(defaults.length + 1);
    expect(harness.run('info', 'nosuch')).to.equal('$0\r\n\r\n');
  });

  it('tells the truth about keys, partitions and counters', () => {
    const harness = new Harness({ partitions: 2 });
    harness.run('set', 'a', '1', 'ex', '100');
    harness.run('mget', 'a', 'none', 'nil');
    harness.run('nosuch');
    harness.run('incr', 'a', 'b');
    harness.run('set', 'b', 'x');
    harness.run('incr', 'b');
    harness.run('client', 'id');
    const fields = info(harness, 'all');
    expect(fields.get('db0')).to.equal('keys=2,expires=1,avg_ttl=0');
    expect(fields.get('keyspace_hits')).to.equal('1');
    expect(fields.get('keyspace_misses')).to.equal('2');
    expect(fields.get('total_error_replies')).to.equal('3');
    expect(fields.get('errorstat_ERR')).to.equal('count=3');
    expect(fields.get('total_commands_processed')).to.equal('5');
    expect(fields.get('cmdstat_incr')).to.match(
      /^calls=1,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=1,failed_calls=1$/,
    );
    expect(fields.get('cmdstat_client|id')).to.match(/^calls=1,/);
    const [first, second] = harness.router.partitions;
    expect(fields.get('partition0')).to.equal(
      `role=leader,epoch=1,log_start=0,leo=${first?.logEndOffset},hw=${first?.highWatermark},isr=1`,
    );
    expect(Number(fields.get('master_repl_offset'))).to.equal(
      (first?.highWatermark ?? 0) + (second?.highWatermark ?? 0),
    );
    expect(harness.run('config', 'resetstat')).to.equal('+OK\r\n');
    expect(info(harness, 'stats').get('keyspace_hits')).to.equal('0');
    expect(info(harness, 'commandstats').has('cmdstat_incr')).to.equal(false);
  });

  it('is a verbatim string in RESP3', () => {
    const harness = new Harness();
    harness.run('hello', '3');
    expect(harness.run('info', 'cluster')).to.equal('=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n');
  });

  it('gives rates since an earlier look', async () => {
    const harness = new Harness();
    info(harness, 'stats');
    for (let count = 0; count < 100; count += 1) harness.run('get', 'a');
    await harness.clock.advance(1000);
    expect(Number(info(harness, 'stats').get('instantaneous_ops_per_sec'))).to.be.within(95, 105);
  });

  it('writes bytes for people as Redis does', () => {
    expect([0, 1023, 1024, 1536, 5 * 1024 ** 3].map(humanBytes)).to.deep.equal([
      '0B',
      '1023B',
      '1.00K',
      '1.50K',
      '5.00G',
    ]);
  });
});

describe('CONFIG GET', () => {
  it('answers the names that redis-benchmark and the exporters ask for', () => {
    const harness = new Harness({
      settings: [
        ['storage.engine', 'bitcask'],
        ['resp.idleTimeoutMs', '2500'],
      ],
    });
    const get = (name: string): string | undefined => harness.run('config', 'get', name).split('\r\n')[4];
    expect(get('save')).to.equal('');
    expect(get('appendonly')).to.equal('yes');
    expect(get('appendfsync')).to.equal('always');
    expect(get('maxclients')).to.equal('10000');
    expect(get('databases')).to.equal('1');
    expect(get('timeout')).to.equal('3');
    expect(get('STORAGE.engine')).to.equal('bitcask');
    expect(harness.run('config', 'get', 'storage.*', 'max[m]emory', 'nosuch')).to.equal(
      '*4\r\n$14\r\nstorage.engine\r\n$7\r\nbitcask\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n',
    );
  });
});

describe('HELLO', () => {
  const fields = (id: number, proto: number): string =>
    `$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:${proto}\r\n$2\r\nid\r\n:${id}\r\n` +
    '$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n';

  it('switches the protocol and answers in the new one, with proto as an integer', () => {
    const harness = new Harness();
    expect(harness.run('hello')).to.equal(`*14\r\n${fields(7, 2)}`);
    expect(harness.run('hello', '3', 'setname', 'me')).to.equal(`%7\r\n${fields(7, 3)}`);
    expect(harness.session.name).to.equal('me');
    expect(harness.run('get', 'none')).to.equal('_\r\n');
    expect(harness.run('hello', '2')).to.equal(`*14\r\n${fields(7, 2)}`);
  });

  it('changes nothing when it is refused', () => {
    const harness = new Harness();
    for (const words of [
      ['4'],
      ['3', 'foo'],
      ['3', 'setname', 'a b'],
      ['3', 'setname', 'x', 'auth', 'bob', 'y'],
    ]) {
      expect(harness.run('hello', ...words)).to.match(/^-/);
    }
    expect(harness.reply.version).to.equal(2);
    expect(harness.session.name).to.equal('');
  });

  it('takes any password for the default user, which has none, and no other user', () => {
    const harness = new Harness();
    expect(harness.run('hello', '3', 'auth', 'default', 'x', 'setname', 'app')).to.match(/^%7\r\n/);
    expect(harness.session.name).to.equal('app');
    expect(harness.run('hello', '3', 'auth', 'bob', 'x')).to.match(/^-WRONGPASS /);
  });
});

describe('CLIENT', () => {
  it('knows id, name and library of the connection', () => {
    const harness = new Harness();
    expect(harness.run('client', 'id')).to.equal(':7\r\n');
    expect(harness.run('client', 'setinfo', 'LIB-NAME', 'ioredis')).to.equal('+OK\r\n');
    expect(harness.run('client', 'setinfo', 'lib-ver', '6.0.0')).to.equal('+OK\r\n');
    expect([harness.session.libraryName, harness.session.libraryVersion]).to.deep.equal(['ioredis', '6.0.0']);
    expect(harness.run('client', 'setinfo', 'lib-ver', 'a b')).to.equal(
      '-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n',
    );
    expect(harness.run('client', 'setinfo', 'foo', 'x')).to.equal("-ERR Unrecognized option 'foo'\r\n");
    expect(harness.run('client', 'setname', 'x'.repeat(300))).to.equal(
      '-ERR Client names of 300 bytes: 256 are allowed\r\n',
    );
  });

  it('refuses sub-commands it does not have: clients in automatic modes rely on an error', () => {
    expect(new Harness().run('client', 'maint_notifications', 'on')).to.equal(
      "-ERR unknown subcommand 'maint_notifications'. Try CLIENT HELP.\r\n",
    );
  });

  it('explains itself from its own data', () => {
    const help = new Harness().run('client', 'help');
    expect(help).to.include('+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:');
    expect(help).to.include('+SETINFO LIB-NAME <libname>|LIB-VER <libver>');
    expect(help).to.include('+HELP\r\n+    Lists the sub-commands.');
  });
});

describe('COMMAND', () => {
  it('describes every command, counts and lists them', () => {
    const harness = new Harness();
    const { entries } = harness.server.table;
    expect(harness.run('command').startsWith(`*${entries.length}\r\n*10\r\n`)).to.equal(true);
    expect(harness.run('command', 'info')).to.equal(harness.run('command'));
    expect(harness.run('command', 'count')).to.equal(`:${entries.length}\r\n`);
    expect(harness.run('command', 'list').startsWith(`*${entries.length}\r\n`)).to.equal(true);
    expect(harness.run('command', 'docs').startsWith(`*${entries.length * 2}\r\n`)).to.equal(true);
    expect(harness.run('command', 'docs', 'GET', 'client|id').startsWith('*4\r\n$3\r\nget\r\n')).to.equal(
      true,
    );
  });

  it('has data that make a usage line', () => {
    const { table } = new Harness().server;
    const usage = (name: string): string => describeArguments(table.byName(name)?.spec.arguments ?? []);
    expect(usage('set')).to.equal(
      '<key> <value> [NX|XX] [GET] [EX <seconds>|PX <milliseconds>|EXAT <unix-time-seconds>|PXAT <unix-time-milliseconds>|KEEPTTL]',
    );
    expect(usage('mset')).to.equal('<key> <value> [<key> <value> ...]');
    expect(usage('scan')).to.equal('<cursor> [MATCH <pattern>] [COUNT <count>] [TYPE <type>]');
  });
});

describe('the end of a connection', () => {
  it('QUIT answers and closes', () => {
    const harness = new Harness();
    expect(harness.run('quit')).to.equal('+OK\r\n');
    expect(harness.session.closeAfterReply).to.equal(true);
  });

  it('SHUTDOWN starts an orderly shutdown and has no reply; a refused one does nothing', () => {
    const harness = new Harness();
    for (const words of [['abort'], ['foo'], ['save', 'nosave'], ['abort', 'now']])
      harness.run('shutdown', ...words);
    expect(harness.shutdowns).to.equal(0);
    for (const words of [[], ['nosave'], ['save', 'now', 'force']]) {
      expect(harness.run('shutdown', ...words)).to.equal('');
    }
    expect(harness.shutdowns).to.equal(3);
    expect(harness.session.closeAfterReply).to.equal(true);
  });
});

describe('BGREWRITEAOF', () => {
  it('starts a merge of every partition and answers at once', () => {
    const harness = new Harness({ partitions: 3 });
    expect(harness.run('bgrewriteaof')).to.equal('+Background append only file rewriting started\r\n');
    expect(harness.router.partitions.map((partition) => partition.mergeCount)).to.deep.equal([1, 1, 1]);
  });
});

describe('a request of HTTP', () => {
  it('ends the connection without an answer, so that nothing in its body runs', () => {
    for (const words of [
      ['POST', '/', 'HTTP/1.1'],
      ['host:', 'localhost'],
    ]) {
      const harness = new Harness();
      expect(harness.run(...words)).to.equal('');
      expect(harness.session.closeAfterReply).to.equal(true);
    }
  });
});
