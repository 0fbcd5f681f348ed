import { spawn } from 'node:child_process';
import { expect } from 'chai';
import fc from 'fast-check';
import { toBytes } from '../../src/cli/byte-text.ts';
import { formatJson } from '../../src/cli/format-json.ts';
import { formatRaw } from '../../src/cli/format-raw.ts';
import { formatForTerminal } from '../../src/cli/format-terminal.ts';
import { renderReply } from '../../src/cli/render-reply.ts';
import type { Reply } from '../../src/resp/reply.ts';
import { ReplyDecoder } from '../../src/resp/reply-decoder.ts';
import { FakeServer } from './fake-server.ts';

const MARK = '--end of one reply--';

function decode(bytes: string): Reply {
  const decoder = new ReplyDecoder();
  decoder.feed(Buffer.from(bytes, 'latin1'));
  return decoder.next() as Reply;
}

/** What the installed redis-cli prints for each of these replies, byte for byte. */
async function oracle(flags: string[], replies: readonly string[]): Promise<string[]> {
  const server = await FakeServer.start(([name = '', index]) => {
    if (name === 'reply') return Buffer.from(replies[Number(index)] ?? '', 'latin1');
    if (name === 'mark') return `+${MARK}\r\n`;
    return name === 'HELLO' ? '%1\r\n$5\r\nproto\r\n:3\r\n' : '-ERR not known here\r\n';
  });
  try {
    const input = replies.map((_, index) => `reply ${index}\nmark\n`).join('');
    const output = await run('redis-cli', ['-p', String(server.port), ...flags], input);
    return output.split(`${MARK}\n`).slice(0, -1);
  } finally {
    await server.stop();
  }
}

function run(program: string, args: string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    child.stdin.end(input);
  });
}

const bulkBytes = (text: string): string => `$${text.length}\r\n${text}\r\n`;
const latin1 = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const word = fc.stringMatching(/^[A-Za-z ]{1,12}$/);
const scalar = fc.oneof(
  word.map((text) => `+${text}\r\n`),
  word.map((text) => `-ERR ${text}\r\n`),
  fc.integer().map((value) => `:${value}\r\n`),
  latin1.map(bulkBytes),
  fc.constant('$-1\r\n'),
);
const resp2 = fc.letrec<{ reply: string; array: string }>((tie) => ({
  reply: fc.oneof({ depthSize: 'small' }, scalar, tie('array')),
  array: fc.array(tie('reply'), { maxLength: 12 }).map((items) => `*${items.length}\r\n${items.join('')}`),
})).reply;

const scalar3 = fc.oneof(
  scalar,
  fc.constantFrom('#t\r\n', '#f\r\n', '_\r\n', ',1.5\r\n', ',10\r\n', ',inf\r\n'),
  word.map((text) => `=${text.length + 4}\r\ntxt:${text}\r\n`),
);
const resp3 = fc.letrec<{ reply: string; array: string; set: string; map: string }>((tie) => ({
  reply: fc.oneof({ depthSize: 'small' }, scalar3, tie('array'), tie('set'), tie('map')),
  array: fc.array(tie('reply'), { maxLength: 12 }).map((items) => `*${items.length}\r\n${items.join('')}`),
  set: fc.array(tie('reply'), { maxLength: 12 }).map((items) => `~${items.length}\r\n${items.join('')}`),
  map: fc
    .array(fc.tuple(scalar3, tie('reply')), { maxLength: 12 })
    .map((entries) => `%${entries.length}\r\n${entries.flat().join('')}`),
})).reply;

/** A key of a map that redis-cli's JSON form can hold. */
const sample = (arbitrary: fc.Arbitrary<string>, seed: number): string[] =>
  fc.sample(arbitrary, { numRuns: 400, seed });

describe('output forms', () => {
  const cases: [string, string[], fc.Arbitrary<string>, (reply: Reply) => string][] = [
    ['terminal form of RESP2', ['--no-raw'], resp2, formatForTerminal],
    ['raw form of RESP2', ['--raw'], resp2, (reply) => `${formatRaw(reply)}\n`],
    ['terminal form of RESP3', ['--no-raw', '-3'], resp3, formatForTerminal],
    ['raw form of RESP3', ['--raw', '-3'], resp3, (reply) => `${formatRaw(reply)}\n`],
  ];
  for (const [name, flags, arbitrary, format] of cases) {
    it(`the ${name} is what redis-cli prints`, async () => {
      const replies = sample(arbitrary, 20_261);
      const printed = await oracle(flags, replies);
      expect(printed).to.have.length(replies.length);
      replies.forEach((bytes, index) => {
        expect(format(decode(bytes)), JSON.stringify(bytes)).to.equal(printed[index]);
      });
    });
  }

  it('pads the numbers of a long list and indents nested lists by them', () => {
    const items = Array.from({ length: 10 }, () => ':7\r\n').join('');
    const text = formatForTerminal(decode(`*2\r\n*10\r\n${items}*0\r\n`));
    expect(text.split('\n').slice(0, 2)).to.deep.equal(['1)  1) (integer) 7', '    2) (integer) 7']);
    expect(text.split('\n').slice(-3)).to.deep.equal(['   10) (integer) 7', '2) (empty array)', '']);
  });

  it('shows a reply with an attribute as the reply alone, a push as an array, a big number as such', () => {
    expect(formatForTerminal(decode('|1\r\n+a\r\n+b\r\n:1\r\n'))).to.equal('(integer) 1\n');
    expect(formatForTerminal(decode('>2\r\n+a\r\n+b\r\n'))).to.equal('1) a\n2) b\n');
    expect(formatForTerminal(decode('(123456789012345678901\r\n'))).to.equal(
      '(big number) 123456789012345678901\n',
    );
    expect(formatForTerminal(decode(':9223372036854775807\r\n'))).to.equal('(integer) 9223372036854775807\n');
  });

  it('JSON of any reply can be parsed and holds what came', () => {
    fc.assert(
      fc.property(resp3, (bytes) => {
        expect(() => JSON.parse(formatJson(decode(bytes)))).not.to.throw();
      }),
      { numRuns: 300 },
    );
    expect(formatJson(decode('%2\r\n+a\r\n*2\r\n:1\r\n_\r\n:5\r\n#t\r\n'))).to.equal(
      '{"a":[1,null],"5":true}',
    );
    expect(formatJson(decode('*3\r\n,inf\r\n,1.50\r\n-ERR no\r\n'))).to.equal(
      '["inf",1.5,{"error":"ERR no"}]',
    );
    expect(formatJson(decode('$2\r\n\xff\xfe\r\n'))).to.equal('{"base64":"//4="}');
    expect(formatJson(decode('$4\r\n\xf0\x9f\xa6\xab\r\n'))).to.equal('"🦫"');
    expect(formatJson(decode(':9223372036854775807\r\n'))).to.equal('9223372036854775807');
  });

  it('prints INFO and CLIENT LIST as they are on a terminal, but as a JSON string when JSON is asked for', () => {
    const reply = decode(bulkBytes('# Server\r\na:1\r\n'));
    expect(renderReply('terminal', ['INFO', 'server'], reply).toString()).to.equal('# Server\r\na:1\r\n');
    expect(renderReply('words', ['client', 'LIST'], reply).toString()).to.equal('# Server\r\na:1\r\n');
    expect(renderReply('raw', ['info'], reply).toString()).to.equal('# Server\r\na:1\r\n');
    expect(renderReply('json', ['info'], reply).toString()).to.equal('"# Server\\r\\na:1\\r\\n"\n');
    expect(renderReply('terminal', ['client', 'id'], decode(':4\r\n')).toString()).to.equal('(integer) 4\n');
  });
});

describe("the predecessor's words", () => {
  const said = (line: string, bytes: string): string =>
    renderReply('words', line.split(' '), decode(bytes)).toString();

  it('a value of GET is printed plain, unless its bytes could steer the terminal', () => {
    expect(said('get k', bulkBytes('1'))).to.equal('1\n');
    expect(said('GET k', bulkBytes('say "hi" \\ there'))).to.equal('say "hi" \\ there\n');
    expect(said('get k', bulkBytes('\xf0\x9f\xa6\xab'))).to.equal('🦫\n');
    expect(said('get k', bulkBytes('two\nlines'))).to.equal('two\nlines\n');
    expect(said('get k', bulkBytes('\x1b[2J'))).to.equal('"\\x1b[2J"\n');
    expect(said('get k', bulkBytes('\xff'))).to.equal('"\\xff"\n');
  });

  it('a nil of a look-up by key is: record not found', () => {
    for (const line of ['get k', 'getdel k', 'getex k', 'set k v GET', 'getset k v']) {
      expect(said(line, '$-1\r\n'), line).to.equal('record not found\n');
    }
    expect(said('mget a b', '*2\r\n$-1\r\n$1\r\nx\r\n')).to.equal('1) record not found\n2) "x"\n');
    expect(said('set k v NX', '$-1\r\n')).to.equal('(nil)\n');
    expect(said('randomkey', '$-1\r\n')).to.equal('(nil)\n');
  });

  it('expire, del and ttl speak of one key', () => {
    expect(said('del k', ':1\r\n')).to.equal('OK\n');
    expect(said('del k', ':0\r\n')).to.equal('record not found\n');
    expect(said('del a b', ':0\r\n')).to.equal('(integer) 0\n');
    expect(said('expire k 200', ':1\r\n')).to.equal('OK\n');
    expect(said('expire k 200', ':0\r\n')).to.equal('record not found\n');
    expect(said('expire k 200 NX', ':0\r\n')).to.equal('(integer) 0\n');
    expect(said('ttl k', ':198\r\n')).to.equal('198\n');
    expect(said('ttl k', ':-1\r\n')).to.equal('expire not set\n');
    expect(said('ttl k', ':-2\r\n')).to.equal('record not found\n');
  });

  it('everything else, and every error, is as in redis-cli', () => {
    expect(said('exists k', ':1\r\n')).to.equal('(integer) 1\n');
    expect(said('strlen k', ':0\r\n')).to.equal('(integer) 0\n');
    expect(said('echo x', bulkBytes('x'))).to.equal('"x"\n');
    expect(said('get', '-ERR wrong\r\n')).to.equal('(error) ERR wrong\n');
    expect(said('ttl k', '-INDOUBT x\r\n')).to.equal('(error) INDOUBT x\n');
  });

  it('bytes leave as they came', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const reply: Reply = { kind: 'bulk', bytes: all };
    expect(toBytes(formatRaw(reply)).equals(all)).to.equal(true);
  });
});
