import { expect } from 'chai';
import { parseCommandDocs } from '../../src/cli/command-docs.ts';
import { commandSyntax, findCommand, hintFor } from '../../src/cli/command-hints.ts';
import { completeLine } from '../../src/cli/completion.ts';
import { helpText } from '../../src/cli/help-text.ts';
import type { Reply } from '../../src/resp/reply.ts';

type Node = string | readonly Node[] | { readonly [key: string]: Node };

/** A reply of bulk strings, arrays and maps (RESP3), or of flat arrays in their place (RESP2). */
function reply(node: Node, version: 2 | 3): Reply {
  if (typeof node === 'string') return { kind: 'bulk', bytes: Buffer.from(node) };
  if (Array.isArray(node)) return { kind: 'array', items: node.map((item) => reply(item, version)) };
  const entries = Object.entries(node).map(
    ([key, value]) => [reply(key, version), reply(value, version)] as const,
  );
  return version === 3 ? { kind: 'map', entries } : { kind: 'array', items: entries.flat() };
}

const token = (name: string): Node => ({ name: name.toLowerCase(), type: 'pure-token', token: name });
const TREE: Node = {
  set: {
    summary: 'Sets a value',
    since: '1.0.0',
    group: 'string',
    arguments: [
      { name: 'key', type: 'key' },
      { name: 'value', type: 'string' },
      { name: 'condition', type: 'oneof', flags: ['optional'], arguments: [token('NX'), token('XX')] },
      { name: 'get', type: 'pure-token', token: 'GET', flags: ['optional'] },
      {
        name: 'expiration',
        type: 'oneof',
        flags: ['optional'],
        arguments: [{ name: 'seconds', type: 'integer', token: 'EX' }, token('KEEPTTL')],
      },
    ],
  },
  mset: {
    arguments: [
      {
        name: 'data',
        type: 'block',
        flags: ['multiple'],
        arguments: [
          { name: 'key', type: 'key' },
          { name: 'value', type: 'string' },
        ],
      },
    ],
  },
  client: {
    group: 'connection',
    subcommands: {
      'client|setname': { arguments: [{ name: 'name', type: 'string' }] },
      'client|id': {},
    },
  },
};

describe('hints and completion from COMMAND DOCS', () => {
  const docs = parseCommandDocs(reply(TREE, 2));

  it('RESP2 and RESP3 say the same', () => {
    expect(parseCommandDocs(reply(TREE, 3))).to.deep.equal(docs);
    expect(docs.map(({ name }) => name)).to.deep.equal([
      'client',
      'client id',
      'client setname',
      'mset',
      'set',
    ]);
  });

  it('an error in place of the docs leaves none', () => {
    expect(parseCommandDocs({ kind: 'error', text: 'ERR unknown' })).to.deep.equal([]);
  });

  it("writes a command's syntax as redis-cli does", () => {
    const syntax = (name: string): string => {
      const command = findCommand(name.split(' '), docs);
      return command === undefined ? '' : commandSyntax(command);
    };
    expect(syntax('set')).to.equal('SET key value [NX|XX] [GET] [EX seconds|KEEPTTL]');
    expect(syntax('mset')).to.equal('MSET key value [key value ...]');
    expect(syntax('client setname')).to.equal('CLIENT SETNAME name');
  });

  it('hints at what is still missing', () => {
    const hint = (line: string): string => hintFor(line.split(' '), docs);
    expect(hint('set')).to.equal('key value [NX|XX] [GET] [EX seconds|KEEPTTL]');
    expect(hint('SET k')).to.equal('value [NX|XX] [GET] [EX seconds|KEEPTTL]');
    expect(hint('set k v ex 10')).to.equal('[NX|XX] [GET]');
    expect(hint('mset a 1 b')).to.equal('key value [key value ...]');
    expect(hint('client setname x')).to.equal('');
    expect(hint('nosuch')).to.equal('');
  });

  it('completes names in the case that is typed, sub-commands after their container', () => {
    expect(completeLine('s', docs)).to.deep.equal([['set '], 's']);
    expect(completeLine('SE', docs)).to.deep.equal([['SET '], 'SE']);
    expect(completeLine('client ', docs)).to.deep.equal([['client id ', 'client setname '], 'client ']);
    expect(completeLine('help ms', docs)).to.deep.equal([['mset '], 'ms']);
    expect(completeLine('set k', docs)).to.deep.equal([[], 'set k']);
    expect(completeLine('', docs)[0]).to.deep.equal([
      'clear ',
      'client ',
      'exit ',
      'help ',
      'mset ',
      'quit ',
      'set ',
    ]);
  });

  it('helps with a command, a container, a group, and says when it cannot', () => {
    expect(helpText(['set'], docs)).to.contain('  summary: Sets a value\n  since: 1.0.0\n  group: string\n');
    expect(helpText(['CLIENT'], docs)).to.contain('CLIENT SETNAME name');
    expect(helpText(['@string'], docs)).to.contain('SET key value');
    expect(helpText(['nosuch'], docs)).to.equal("No help on 'nosuch': 'help' lists what can be asked.\n");
    expect(helpText(['set'], [])).to.contain('COMMAND DOCS');
  });
});
