import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, YAMLException } from 'js-yaml';
import type { Assignment, Reading } from './assignment.ts';

/**
 * Reads a YAML configuration file from its parser events, because they keep positions: every value knows its
 * line. All scalars stay text, exactly as written; what they mean is the key's business.
 */
export function readYaml(path: string, text: string): Reading {
  let events: Event[];
  try {
    events = parseEvents(text, { filename: path });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = error.mark === undefined ? '' : `:${error.mark.line + 1}`;
    return { assignments: [], problems: [`${path}${line}: not valid YAML: ${error.reason}`], warnings: [] };
  }
  return new EventReader(path, text, events).read();
}

class EventReader {
  readonly #path: string;
  readonly #text: string;
  readonly #events: readonly Event[];
  #next = 0;
  readonly #assignments: Assignment[] = [];
  readonly #problems: string[] = [];

  constructor(path: string, text: string, events: readonly Event[]) {
    this.#path = path;
    this.#text = text;
    this.#events = events;
  }

  read(): Reading {
    let documents = 0;
    for (let event = this.#take(); event !== undefined; event = this.#take()) {
      if (event.type !== EVENT_ID.DOCUMENT) continue;
      documents += 1;
      if (documents === 1) this.#root();
    }
    if (documents > 1) this.#problems.push(`${this.#path}: ${documents} YAML documents; one is allowed`);
    return { assignments: this.#assignments, problems: this.#problems, warnings: [] };
  }

  #root(): void {
    const event = this.#take();
    if (event?.type === EVENT_ID.MAPPING) this.#mapping('');
    else if (event?.type === EVENT_ID.SCALAR && this.#scalar(event) === '') return;
    else this.#problem(event, 'the file must hold keys and values, such as `resp: { port: 6379 }`');
  }

  #take(): Event | undefined {
    const event = this.#events[this.#next];
    this.#next += 1;
    return event;
  }

  /** The pairs of a mapping that was just opened, up to its end. */
  #mapping(prefix: string): void {
    for (let event = this.#take(); event !== undefined; event = this.#take()) {
      if (event.type === EVENT_ID.POP) return;
      if (event.type === EVENT_ID.SCALAR) this.#value(`${prefix}${this.#scalar(event)}`, event);
      else {
        this.#problem(event, 'a key must be plain text');
        this.#skip(event);
        this.#skip(this.#take());
      }
    }
  }

  #value(key: string, keyEvent: Event): void {
    const event = this.#take();
    if (event?.type === EVENT_ID.MAPPING) this.#mapping(`${key}.`);
    else if (event?.type === EVENT_ID.SCALAR) this.#assign(key, keyEvent, this.#scalar(event));
    else if (event?.type === EVENT_ID.SEQUENCE) this.#assign(key, keyEvent, this.#sequence(key));
    else this.#problem(event ?? keyEvent, `${key}: an alias (*name) is not allowed; write the value`);
  }

  #assign(key: string, keyEvent: Event, value: string | readonly string[]): void {
    this.#assignments.push({ layer: 'file', source: this.#at(keyEvent), key, value });
  }

  #sequence(key: string): string[] {
    const items: string[] = [];
    for (let event = this.#take(); event !== undefined; event = this.#take()) {
      if (event.type === EVENT_ID.POP) break;
      if (event.type === EVENT_ID.SCALAR) items.push(this.#scalar(event));
      else {
        this.#problem(event, `${key}: an item of a list must be plain text`);
        this.#skip(event);
      }
    }
    return items;
  }

  /** The rest of a node whose opening event was already taken. */
  #skip(opened: Event | undefined): void {
    let depth = opened?.type === EVENT_ID.MAPPING || opened?.type === EVENT_ID.SEQUENCE ? 1 : 0;
    while (depth > 0) {
      const type = this.#take()?.type;
      if (type === undefined) return;
      if (type === EVENT_ID.MAPPING || type === EVENT_ID.SEQUENCE) depth += 1;
      if (type === EVENT_ID.POP) depth -= 1;
    }
  }

  /** A scalar's text; YAML's ways of writing nothing are the empty text. */
  #scalar(event: Extract<Event, { valueStart: number }>): string {
    const value = getScalarValue(this.#text, event);
    return event.style === SCALAR_STYLE.PLAIN && /^(?:~|null)$/i.test(value) ? '' : value;
  }

  #at(event: Event | undefined): string {
    let position = -1;
    if (event !== undefined && 'valueStart' in event) position = event.valueStart;
    else if (event !== undefined && 'start' in event) position = event.start;
    else if (event !== undefined && 'anchorStart' in event) position = event.anchorStart;
    if (position < 0) return this.#path;
    return `${this.#path}:${this.#text.slice(0, position).split('\n').length}`;
  }

  #problem(event: Event | undefined, text: string): void {
    this.#problems.push(`${this.#at(event)}: ${text}`);
  }
}
