import { expect } from 'chai';
import { isColoured, LogLines, prefixOf } from '../../../scripts/cluster/log-lines.ts';

class Sink {
  readonly writes: string[] = [];
  write(text: string): boolean {
    this.writes.push(text);
    return true;
  }
}

describe('the log of several nodes on one terminal', () => {
  it('every line gets the prefix, whatever the chunks', () => {
    const sink = new Sink();
    const seen: string[] = [];
    const lines = new LogLines('node01 | ', sink, (line) => seen.push(line));
    lines.take(Buffer.from('one\ntw'));
    lines.take(Buffer.from('o\n\n'));
    lines.take(Buffer.from('rest'));
    lines.end();
    expect(sink.writes).to.deep.equal(['node01 | one\n', 'node01 | two\nnode01 | \n', 'node01 | rest\n']);
    expect(seen).to.deep.equal(['one', 'two', '', 'rest']);
  });

  it('a character that is cut by a chunk stays whole', () => {
    const sink = new Sink();
    const lines = new LogLines('', sink);
    const bytes = Buffer.from('größe\n');
    for (const byte of bytes) lines.take(Buffer.of(byte));
    expect(sink.writes).to.deep.equal(['größe\n']);
  });

  it('colours are for terminals, and not where NO_COLOR says so', () => {
    expect(isColoured({ isTTY: true, environment: {} })).to.equal(true);
    expect(isColoured({ isTTY: undefined, environment: {} })).to.equal(false);
    expect(isColoured({ isTTY: true, environment: { NO_COLOR: '1' } })).to.equal(false);
    expect(isColoured({ isTTY: true, environment: { NO_COLOR: '' } })).to.equal(true);
  });

  it('each node has another colour, and they begin again after five', () => {
    const prefixes = [0, 1, 2, 3, 4, 5].map((index) => prefixOf('n', index, true));
    expect(new Set(prefixes).size).to.equal(5);
    expect(prefixes[5]).to.equal(prefixes[0]);
    expect(prefixOf('node01', 0, true)).to.equal('\x1b[36mnode01 | \x1b[0m');
    expect(prefixOf('node01', 0, false)).to.equal('node01 | ');
    expect(prefixOf('cluster', null, true)).to.equal('\x1b[1mcluster | \x1b[0m');
  });
});
