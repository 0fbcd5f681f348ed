import type { LogFields, Logger } from '../../src/env/logger.ts';

export interface CollectedEvent {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: LogFields;
  readonly text: string;
}

/** Keeps what was logged, children's events included, so that a test can ask for it. */
export class CollectingLogger implements Logger {
  readonly events: CollectedEvent[];
  readonly #fields: LogFields;

  constructor(events: CollectedEvent[] = [], fields: LogFields = {}) {
    this.events = events;
    this.#fields = fields;
  }

  debug(fields: LogFields, text: string): void {
    this.#add('debug', fields, text);
  }

  info(fields: LogFields, text: string): void {
    this.#add('info', fields, text);
  }

  warn(fields: LogFields, text: string): void {
    this.#add('warn', fields, text);
  }

  error(fields: LogFields, text: string): void {
    this.#add('error', fields, text);
  }

  child(fields: LogFields): Logger {
    return new CollectingLogger(this.events, { ...this.#fields, ...fields });
  }

  texts(level: CollectedEvent['level']): string[] {
    return this.events.filter((event) => event.level === level).map((event) => event.text);
  }

  #add(level: CollectedEvent['level'], fields: LogFields, text: string): void {
    this.events.push({ level, fields: { ...this.#fields, ...fields }, text });
  }
}
