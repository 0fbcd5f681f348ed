import { CaskadeError } from '../model/errors.ts';

/** The configuration is refused; `lines` names every problem, one line each. */
export class ConfigError extends CaskadeError {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    const count = lines.length === 1 ? '1 problem' : `${lines.length} problems`;
    super(
      'configurationInvalid',
      `configuration refused, ${count}:\n${lines.map((l) => `  ${l}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.lines = lines;
  }
}
