/** The process exit codes, documented in docs/OPERATIONS.md and in `caskade --help`. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  /** Bad usage, or an address that does not parse. */
  usage: 2,
  configuration: 3,
  portTaken: 4,
  /** Wrong engine, lock held, corrupt, full or unwritable data directory. */
  storage: 5,
  coordinator: 6,
  inDoubt: 7,
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
