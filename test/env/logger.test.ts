import { expect } from 'chai';
import { createLogger, type Logger, type LoggerOptions } from '../../src/env/logger.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';

function capture(options: Partial<LoggerOptions> = {}): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { logger: createLogger({ level: 'debug', destination, ...options }), lines };
}

describe('the log', () => {
  it('is one JSON object a line, with time, level name, fields and text', () => {
    const { logger, lines } = capture();
    logger.child({ component: 'storage' }).warn({ partition: 3 }, 'the tail was cut');
    expect(lines).to.have.length(1);
    expect(lines[0]?.endsWith('\n')).to.equal(true);
    const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    expect(time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(rest).to.deep.equal({
      level: 'warn',
      component: 'storage',
      partition: 3,
      msg: 'the tail was cut',
    });
  });

  it('tells the code, message, stack and cause of an error', () => {
    const { logger, lines } = capture();
    const cause = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    logger.error({ err: new CaskadeError('diskFull', 'cannot write x', { cause }) }, 'a flush failed');
    const { err } = JSON.parse(lines[0] ?? '') as { err: { stack: string; cause: object } };
    expect(err).to.include({ type: 'CaskadeError', code: 'diskFull', message: 'cannot write x' });
    expect(err.stack).to.contain('logger.test');
    expect(err.cause).to.include({ code: 'ENOSPC', message: 'no space' });
  });

  it('ends with an error that is its own cause', () => {
    const { logger, lines } = capture();
    const error = new Error('round');
    error.cause = error;
    logger.error({ err: error }, 'went round');
    expect(lines).to.have.length(1);
  });

  it('leaves out what is below its level', () => {
    const { logger, lines } = capture({ level: 'warn' });
    logger.debug({}, 'a');
    logger.info({}, 'b');
    logger.warn({}, 'c');
    logger.error({}, 'd');
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).to.deep.equal(['c', 'd']);
  });

  it('is plain lines for people when asked', () => {
    const { logger, lines } = capture({ pretty: true });
    logger.info({ component: 'server' }, 'ready');
    logger.info({}, 'no component');
    logger.info({ component: 'replica', partition: 1, leaderEpoch: 2 }, 'leads');
    expect(lines[0]).to.match(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: server: ready\n$/);
    expect(lines[1]).to.contain('INFO: no component');
    expect(lines[2]).to.match(/INFO: replica: leads \{"partition":1,"leaderEpoch":2\}\n$/);
  });
});

describe('the collecting logger', () => {
  it('keeps the events of its children with their fields', () => {
    const logger = new CollectingLogger();
    logger.child({ component: 'a' }).child({ partition: 1 }).warn({ offset: 2 }, 'text');
    expect(logger.events).to.deep.equal([
      { level: 'warn', fields: { component: 'a', partition: 1, offset: 2 }, text: 'text' },
    ]);
    expect(logger.texts('warn')).to.deep.equal(['text']);
    expect(logger.texts('error')).to.deep.equal([]);
  });
});
