import type { LogFields, Logger } from '../../../src/env/logger.ts';
import type { EventLog } from './world.ts';

/** What a node logs, as lines among the world's events. Debug lines are left out. */
export class WorldLogger implements Logger {
  readonly #events: EventLog;
  readonly #who: string;
  readonly #fields: LogFields;

  constructor(events: EventLog, who: string, fields: LogFields = {}) {
    this.#events = events;
    this.#who = who;
    this.#fields = fields;
  }

  debug(): void {}

  info(fields: LogFields, text: string): void {
    this.#note('', fields, text);
  }

  warn(fields: LogFields, text: string): void {
    this.#note('warning: ', fields, text);
  }

  error(fields: LogFields, text: string): void {
    this.#note('error: ', fields, text);
  }

  child(fields: LogFields): Logger {
    return new WorldLogger(this.#events, this.#who, { ...this.#fields, ...fields });
  }

  #note(level: string, fields: LogFields, text: string): void {
    const shown = Object.entries({ ...this.#fields, ...fields }).map(
      ([name, value]) => `${name}=${show(value)}`,
    );
    this.#events.note(this.#who, `${level}${text} (${shown.join(' ')})`);
  }
}

function show(value: unknown): string {
  if (value instanceof Error)
    return value.cause === undefined ? value.message : `${value.message} <- ${show(value.cause)}`;
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
