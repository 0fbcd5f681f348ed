import { isInDoubt } from './outcome.ts';

export const EXAMPLES_MAX = 5;
const EXAMPLE_CHARACTERS_MAX = 200;

/** What became of the commands of a load; keeps the first few texts of each kind of trouble. */
export class LoadCounts {
  /** Commands that were answered without an error. */
  loaded = 0;
  /** Error replies, those in doubt apart. */
  refused = 0;
  inDoubt = 0;
  malformed = 0;
  /** Sent, and not answered when the load ended early. */
  unanswered = 0;
  readonly errorTexts: string[] = [];
  readonly malformedTexts: string[] = [];

  get errors(): number {
    return this.refused + this.malformed;
  }

  addError(text: string): void {
    if (isInDoubt(text)) this.inDoubt += 1;
    else this.refused += 1;
    keep(this.errorTexts, text);
  }

  addMalformed(text: string): void {
    this.malformed += 1;
    keep(this.malformedTexts, text);
  }
}

function keep(texts: string[], text: string): void {
  if (texts.length < EXAMPLES_MAX && !texts.includes(text)) texts.push(text.slice(0, EXAMPLE_CHARACTERS_MAX));
}
