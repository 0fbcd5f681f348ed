import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { VERSION } from '../../src/model/version.ts';
import { parseServerArguments, type ServerCommandLine } from '../../src/server/command-line.ts';

class CollectedOutput {
  text = '';
  errors = '';
  out(text: string): void {
    this.text += text;
  }
  error(text: string): void {
    this.errors += text;
  }
}

function parse(...argv: string[]): ServerCommandLine | null {
  return parseServerArguments(argv, {}, new CollectedOutput());
}

const flagsOf = (...argv: string[]) =>
  parse(...argv)?.flags.map(({ flag, key, value }) => [flag, key, value]);

function refusalOf(...argv: string[]): string {
  try {
    parse(...argv);
  } catch (error) {
    if (error instanceof CaskadeError && error.code === 'usage') return error.message;
    throw error;
  }
  return 'accepted';
}

describe('the arguments of caskade server', () => {
  it('may be none', () => {
    expect(parse()).to.deep.equal({ configFile: null, flags: [], checkConfig: false });
  });

  it('name the configuration file, or else the environment does', () => {
    expect(parse('--config', 'a.yaml')?.configFile).to.equal('a.yaml');
    const environment = { CASKADE_CONFIG: 'b.yaml' };
    expect(parseServerArguments([], environment, new CollectedOutput())?.configFile).to.equal('b.yaml');
    expect(
      parseServerArguments(['--config=a.yaml'], environment, new CollectedOutput())?.configFile,
    ).to.equal('a.yaml');
  });

  it('take every configuration key, with = or as the next argument', () => {
    expect(flagsOf('--storage.flush=os', '--resp.port', '7000', '--coordinator', 'local')).to.deep.equal([
      ['--storage.flush', 'storage.flush', 'os'],
      ['--resp.port', 'resp.port', '7000'],
      ['--coordinator', 'coordinator', 'local'],
    ]);
    expect(flagsOf('--node.rack=', '--merge.deadRatioMin', '-1')).to.deep.equal([
      ['--node.rack', 'node.rack', ''],
      ['--merge.deadRatioMin', 'merge.deadRatioMin', '-1'],
    ]);
  });

  it('have short forms for what is asked most', () => {
    expect(flagsOf('--addr', '[::1]:7', '--engine', 'memory', '--accept-torn-tail')).to.deep.equal([
      ['--addr', 'resp.host', '::1'],
      ['--addr', 'resp.port', '7'],
      ['--engine', 'storage.engine', 'memory'],
      ['--accept-torn-tail', 'storage.acceptTornTail', 'true'],
    ]);
    expect(parse('--check-config')?.checkConfig).to.equal(true);
  });

  it('are refused as usage where they do not parse', () => {
    const cases: Record<string, [argv: string[], message: RegExp]> = {
      'an address without a port': [['--addr', 'localhost'], /^--addr localhost: not an address/],
      'an address with a bad port': [
        ['--addr', '127.0.0.1:65536'],
        /^--addr 127\.0\.0\.1:65536: not an address/,
      ],
      'an option that does not exist': [
        ['--chek-config'],
        /^unknown option '--chek-config'.*--check-config/s,
      ],
      'a stray argument': [['extra'], /^too many arguments/],
      'an option without its value': [['--config'], /argument missing/],
      'a key without its value': [['--resp.port'], /^--resp\.port needs a value/],
      'a key followed by another': [['--resp.port', '--resp.host=a'], /^--resp\.port needs a value/],
    };
    for (const [name, [argv, message]] of Object.entries(cases)) {
      expect(refusalOf(...argv), name).to.match(message);
    }
  });

  it('print help and version, and then start nothing', () => {
    for (const [argument, pattern] of [
      ['-V', new RegExp(`^${VERSION}\n$`)],
      ['--version', new RegExp(`^${VERSION}\n$`)],
      ['--help', /^Usage: caskade server .*--accept-torn-tail.*Every configuration key is a flag too/s],
    ] as const) {
      const output = new CollectedOutput();
      expect(parseServerArguments([argument], {}, output)).to.equal(null);
      expect(output.text).to.match(pattern);
    }
  });
});
