import pino from 'pino';
import { prettyFactory } from 'pino-pretty';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * What belongs to an event besides its text: `component` names the part that speaks, `err` is an error, the rest are
 * the field's own names (partition, path, offset). Never a key, never a value: a log is read by more people than the
 * data.
 */
export type LogFields = Readonly<Record<string, unknown>>;

/** The door to the log: the fields first, then one sentence that stands without them. */
export interface Logger {
  debug(fields: LogFields, text: string): void;
  info(fields: LogFields, text: string): void;
  warn(fields: LogFields, text: string): void;
  error(fields: LogFields, text: string): void;
  /** A logger that adds these fields to each of its events. */
  child(fields: LogFields): Logger;
}

/** Says nothing. */
export class NullLogger implements Logger {
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(): void {}

  child(): Logger {
    return this;
  }
}

export interface LogDestination {
  write(line: string): void;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** For people: coloured lines instead of JSON. Default: when stdout is a terminal. */
  readonly pretty?: boolean;
  /** Where lines go; default stdout. */
  readonly destination?: LogDestination;
}

interface SerializedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: SerializedError | string;
}

/** How many causes of a cause are told. */
const CAUSES_MAX = 4;

function serializeError(error: unknown, causesLeft = CAUSES_MAX): SerializedError | string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const stack = error.stack === undefined ? {} : { stack: error.stack };
  const cause =
    error.cause === undefined || causesLeft === 0
      ? {}
      : { cause: serializeError(error.cause, causesLeft - 1) };
  return { type: error.name, message: error.message, ...code, ...stack, ...cause };
}

function openDestination(options: LoggerOptions): LogDestination {
  // Written at once, not from a buffer: the last line before a death is the one that is needed.
  const lines = options.destination ?? pino.destination({ fd: 1, sync: true });
  const isTerminal = process.stdout.isTTY === true;
  if (!(options.pretty ?? (options.destination === undefined && isTerminal))) return lines;
  // What a person sees: one line an event, and the stack of an error below it.
  const prettify = prettyFactory({
    colorize: isTerminal && process.env.NO_COLOR === undefined,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'component',
    singleLine: true,
    messageFormat: '{if component}{component}: {end}{msg}',
  });
  return { write: (line) => lines.write(prettify(line)) };
}

class PinoLogger implements Logger {
  readonly #pino: pino.Logger;

  constructor(inner: pino.Logger) {
    this.#pino = inner;
  }

  debug(fields: LogFields, text: string): void {
    this.#pino.debug(fields, text);
  }

  info(fields: LogFields, text: string): void {
    this.#pino.info(fields, text);
  }

  warn(fields: LogFields, text: string): void {
    this.#pino.warn(fields, text);
  }

  error(fields: LogFields, text: string): void {
    this.#pino.error(fields, text);
  }

  child(fields: LogFields): Logger {
    return new PinoLogger(this.#pino.child(fields));
  }
}

/** The log of the process: one JSON object a line with `time` (ISO), `level` (its name), the fields and `msg`. */
export function createLogger(options: LoggerOptions): Logger {
  const inner = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      serializers: { err: (error: unknown) => serializeError(error) },
    },
    openDestination(options),
  );
  return new PinoLogger(inner);
}
