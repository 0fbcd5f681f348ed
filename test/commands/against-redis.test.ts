import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { Harness } from './harness.ts';
import { RedisOracle } from './redis-oracle.ts';

/** Scripts of commands, a line each; every reply must be Redis' to the byte. Words are split at spaces; '' is empty. */
const SCRIPTS: Readonly<Record<string, string>> = {
  'get and set': `
    get a | set a 1 | get a | set a '' | get a | strlen a | strlen none | set a 1 2 | set a | get | get a b | GeT a`,
  'set with options': `
    set a 1 nx | set a 2 nx | get a | set a 3 xx | get a | set b 1 xx | get b | set a 4 get | set c 1 get | get c
    set a 5 nx get | get a | set d 5 nx get | get d | set e 1 xx get | get e | set a 6 nx xx | set a 6 foo | set a 6 ex
    set a 6 ex 10 px 10 | set a 6 ex 10 keepttl | set a 6 keepttl ex 10 | set a 6 exat 1 exat 2 | set a 6 ex 0
    set a 6 ex -1 | set a 6 px 0 | set a 6 exat 0 | set a 6 pxat -5 | set a 6 ex abc | set a 6 ex 1.5 | set a 6 px ''
    set a 6 ex 9223372036854775807 | set a 6 px 9223372036854775807 | set a 6 ex 99999999999999999999
    set a 7 keepttl | ttl a | set a 8 ex 100 | ttl a | set a 9 keepttl | ttl a | set a 10 | ttl a
    set a 1 px 100000 | ttl a | set a 1 exat 4000000000 | set a 1 pxat 1 | get a | exists a | ttl a
    set a 1 get get | set a 2 nx nx | set a 2 xx xx get | set a 3 keepttl keepttl get`,
  'setnx, setex, psetex': `
    setnx a 1 | setnx a 2 | get a | setex a 100 v | ttl a | get a | setex a 0 v | setex a -1 v | setex a x v
    setex a 9223372036854775807 v | psetex a 100000 w | ttl a | get a | psetex a 0 v | setex a 10 | setnx a`,
  'mget and mset': `
    mset a 1 b 2 | mget a b c | mset a | mset a 1 b | mset a 1 a 2 | get a | mget | mget a a none a`,
  'getdel and append': `
    getdel a | append a x | append a yz | get a | append a '' | strlen a | getdel a | getdel a | append a ''
    exists a | setex b 100 v | append b w | ttl b | get b`,
  counting: `
    incr a | incr a | decr a | incrby a 10 | decrby a 3 | get a | incrby a -20 | get a | set b x | incr b | incrby a x
    incrby a 1.5 | incrby a '' | incrby a +1 | set c 9223372036854775806 | incr c | incr c | get c | decr c
    set d -9223372036854775808 | decr d | incr d | get d | incrby d -9223372036854775808 | decrby e -9223372036854775808
    decrby e 9223372036854775807 | decr e | decr e | incrby f 9223372036854775807 | incrby f -9223372036854775808 | get f
    set g 9007199254740991 | incr g | incr g | decrby g 4 | get g | incrby g 9223372036854775807 | set h '' | incr h
    set i 01 | incr i | set i -0 | incr i | set i ' 1' | incr i | set i 0 | decr i | incrby i 0 | setex j 100 5 | incr j
    ttl j | incrby a 99999999999999999999 | set k 99999999999999999999 | incr k | decrby a -5 | set l 123456789012345678
    incr l | incrby l 0 | decrby l 123456789012345679`,
  deleting: `
    del a | mset a 1 b 2 c 3 | del a b none | exists a b c | del c c c | del | unlink a | set a 1 | unlink a a
    mset a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 i 9 | del a a b b c c d e f g h i i j | dbsize`,
  'existing and types': `
    exists a | touch a | set a 1 | exists a a b a | touch a a b a | touch | exists | type a | type b | type | dbsize | dbsize x`,
  expiring: `
    expire a 10 | set a 1 | ttl a | pttl none | ttl none | expire a 100 | ttl a | persist a | ttl a | persist a
    persist none | pexpire a 100000 | ttl a | expire a 0 | get a | set a 1 | expire a -1 | exists a | set a 1
    pexpire a -9223372036854775808 | exists a | set a 1 | expire a -9223372036854775808 | expire a 9223372036854775807
    pexpire a 9223372036854775807 | expire a x | expire a 1 foo | expire a x foo | expire a 1 nx xx | expire a 1 nx gt
    expire a 1 gt lt | expire a 1 xx gt lt | expire a 100 xx | expire a 100 gt | ttl a | expire a 100 lt | ttl a
    expire a 50 gt | expire a 200 gt | ttl a | expire a 300 lt | expire a 100 lt | ttl a | expire a 100 nx
    expire a 100 xx gt | expire a 500 xx gt | ttl a | persist a | expire a 10 nx nx | ttl a | expire a -1 gt | exists a
    expire a -1 lt | exists a | expire a | pexpire a 1 2 3 | expire none 1 nx xx | expire none x`,
  'keys and scan': `
    keys * | mset key:1 a key:2 b other c | keys other | keys ke[x]* | keys *3 | keys | keys a b | scan 0 match oth*
    scan 0 match none count 1000 | scan 0 count 1000 type list | scan 0 type string match oth* count 1000
    scan x | scan 1x | scan 18446744073709551616 | scan 0 count | scan 0 count 0 | scan 0 count -1 | scan 0 count x
    scan 0 match | scan 0 foo bar | scan 0 type | scan | scan 0 count 1 match | flushall | scan 0 | scan ''
    set '' v | keys * | keys ** | scan 0 match * | scan 0 match ** | keys '' | get '' | del ''`,
  flushing: `
    mset a 1 b 2 | flushdb | dbsize | set a 1 | flushall async | get a | flushdb sync | flushall foo | flushall async sync
    flushdb x`,
  connection: `
    ping | ping hello | ping '' | ping a b | echo x | echo '' | echo | echo a b | select 0 | select 1 | select -1
    select x | select 1.5 | select '' | select 2147483648 | select -2147483649 | select 99999999999999999999 | select
    client | client foo | client getname | client setname x1 | client getname | client setname '' | client getname
    client setname 'a b' | client getname x | client id x | client setname | CLIENT GetName | client help x
    hello 4 | hello x | hello 1 | hello 2 foo | hello 2 setname | hello 2 auth x | hello 2 setname 'a b' | hello 3 auth bob x
    hello '' | hello 2.0 | client getname`,
  'cluster commands without a cluster': `
    cluster | cluster foo | cluster info | cluster nodes | cluster slots | cluster nodes x | cluster keyslot a
    cluster keyslot | cluster help | cluster meet a 1 | cluster meet | readonly | readwrite | asking | readonly x
    wait 0 0 | wait 0 10 | wait x 1 | wait 0 x | wait 0 -1 | wait 1 | wait`,
  refusals: `
    foo | foo a b | FOO 'a b' | '' | set | config | config foo | config get | config resetstat x | command foo
    command count x | command getkeys | command getkeys get | command getkeys foo bar | command getkeys ping x
    command getkeys get a b | command getkeys mset a 1 b 2 | command getkeys set x | command getkeys del a b c
    command getkeys config get x | command list filterby | command list filterby foo bar | command list a
    command list filterby module x | command list filterby aclcat nosuch | command list filterby pattern mse?
    command info nosuch | command docs nosuch | info nosuch | shutdown foo | shutdown abort | shutdown save nosave
    shutdown abort now | shutdown abort abort | config get nosuch | config get save | config get SAVE appendonly2
    config get maxmemory | config get databases | config resetstat`,
};

const XX = 'x'.repeat(200);

function parse(script: string): string[][] {
  const commands = script.split(/[|\n]/).map((line) => line.trim());
  return commands.filter((line) => line !== '').map(words);
}

function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? (match[2] as string));
}

describe('beside redis-server', () => {
  let oracle: RedisOracle;

  before(async () => {
    oracle = await RedisOracle.start();
  });

  after(() => oracle.stop());

  for (const [name, script] of Object.entries(SCRIPTS)) {
    it(`answers the same: ${name}`, async () => {
      const commands = parse(script);
      await oracle.runAll([['flushall'], ['client', 'setname', '']]);
      const expected = await oracle.runAll(commands);
      const harness = new Harness({ wallMs: Date.now() });
      commands.forEach((command, index) => {
        expect(harness.run(...command), command.join(' ')).to.equal(expected[index]);
      });
    });
  }

  it('cuts what it quotes of an unknown command as Redis does', async () => {
    const commands = [
      ['foo', XX, 'b'],
      [XX, 'a'],
      ['foo', ...Array.from({ length: 52 }, (_, index) => `w${index}`)],
      ['client', XX],
      ['foo', 'a\r\nb'],
    ];
    const expected = await oracle.runAll(commands);
    const harness = new Harness();
    for (const [index, command] of commands.entries())
      expect(harness.run(...command)).to.equal(expected[index]);
  });

  it('says the same of every command it knows: COMMAND INFO', async () => {
    const harness = new Harness();
    const { table } = harness.server;
    for (const entry of table.all()) {
      if (NEWER_THAN_THE_ORACLE.has(entry.fullName)) continue;
      const theirs = parseReply(await oracle.run('command', 'info', entry.fullName)) as [CommandInfo];
      const ours = parseReply(harness.run('command', 'info', entry.fullName)) as [CommandInfo];
      expect(comparable(ours[0]), entry.fullName).to.deep.equal(comparable(theirs[0]));
    }
  });

  it('says the same of arguments, group and age: COMMAND DOCS', async () => {
    const harness = new Harness();
    for (const entry of harness.server.table.all()) {
      if (NEWER_THAN_THE_ORACLE.has(entry.fullName) || WITH_ARGUMENTS_OF_OUR_OWN.has(entry.fullName))
        continue;
      const theirs = docsOf(await oracle.run('command', 'docs', entry.fullName));
      const ours = docsOf(harness.run('command', 'docs', entry.fullName));
      expect(ours, entry.fullName).to.deep.equal(theirs);
    }
  });

  it('describes commands in words of our own', async () => {
    const harness = new Harness();
    for (const entry of harness.server.table.all()) {
      const theirs = parseReply(await oracle.run('command', 'docs', entry.fullName)) as Reply[];
      const summary = fieldsOf((theirs[1] as Reply[] | undefined) ?? []).get('summary');
      expect(entry.spec.summary, entry.fullName).to.not.equal(summary);
      expect(entry.spec.summary.endsWith('.'), entry.spec.summary).to.equal(true);
    }
  });

  it('refuses a key above the limit, which Redis takes, before anything is written', () => {
    const harness = new Harness();
    const key = 'k'.repeat(LIMITS.keyBytesMax + 1);
    expect(harness.run('mset', 'a', '1', key, '2')).to.equal(
      `-ERR the key in argument 3 has ${key.length} bytes; ${LIMITS.keyBytesMax} are allowed\r\n`,
    );
    expect(harness.partition.records).to.deep.equal([]);
    expect(harness.run('get', key)).to.equal('$-1\r\n');
    expect(harness.run('del', key)).to.equal(':0\r\n');
  });
});

/** They came with 7.2. */
const NEWER_THAN_THE_ORACLE = new Set(['client|setinfo', 'cluster|myshardid', 'waitaof']);
/** Redis 7.0 says nothing of them. */
const WITH_ARGUMENTS_OF_OUR_OWN = new Set(['command|getkeys']);

type Reply = string | number | null | Reply[];
type CommandInfo = [string, number, string[], number, number, number, string[], string[], Reply[], Reply[]];

/** Everything but sub-commands (we have fewer) and notes; sets as sets. */
function comparable(info: CommandInfo): unknown {
  const [name, arity, flags, first, last, step, categories, tips, keySpecifications] = info;
  const specifications = keySpecifications.map((specification) => {
    const fields = fieldsOf(specification as Reply[]);
    fields.delete('notes');
    return [...fields];
  });
  return {
    name,
    arity,
    flags: [...flags].sort(),
    first,
    last,
    step,
    categories: [...categories].sort(),
    tips,
    specifications,
  };
}

function docsOf(text: string): unknown {
  const [name, docs] = parseReply(text) as [string, Reply[]];
  const fields = fieldsOf(docs);
  return {
    name,
    since: fields.get('since'),
    group: fields.get('group'),
    arguments: argumentsOf(fields.get('arguments')),
  };
}

function argumentsOf(list: Reply | undefined): unknown {
  if (!Array.isArray(list)) return undefined;
  return list.map((argument) => {
    const fields = fieldsOf(argument as Reply[]);
    fields.delete('display_text');
    return { ...Object.fromEntries(fields), arguments: argumentsOf(fields.get('arguments')) };
  });
}

function fieldsOf(flat: Reply[]): Map<string, Reply> {
  const fields = new Map<string, Reply>();
  for (let at = 0; at + 1 < flat.length; at += 2) fields.set(flat[at] as string, flat[at + 1] as Reply);
  return fields;
}

function parseReply(text: string): Reply {
  let at = 0;
  const next = (): Reply => {
    const end = text.indexOf('\r\n', at);
    const kind = text[at];
    const line = text.slice(at + 1, end);
    at = end + 2;
    if (kind === ':') return Number(line);
    if (kind === '*') return Array.from({ length: Number(line) }, next);
    if (kind !== '$') return line;
    if (line === '-1') return null;
    const bulk = text.slice(at, at + Number(line));
    at += Number(line) + 2;
    return bulk;
  };
  return next();
}
