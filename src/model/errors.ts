import { ExitCode } from './exit-codes.ts';

/**
 * One error table: a stable code, the number that goes over the wire between servers, whether the same request
 * may be sent again unchanged, the RESP prefix a client sees and the exit code when it ends the process.
 * Numbers are part of the protocol and are never reused.
 */
interface ErrorRow {
  readonly number: number;
  readonly retriable: boolean;
  readonly respPrefix: string;
  readonly exitCode: ExitCode;
}

const row = (number: number, retriable: boolean, respPrefix: string, exitCode: ExitCode): ErrorRow => ({
  number,
  retriable,
  respPrefix,
  exitCode,
});

export const ERROR_TABLE = {
  // Requests
  invalidArgument: row(1, false, 'ERR', ExitCode.failed),
  limitExceeded: row(2, false, 'ERR', ExitCode.failed),
  usage: row(3, false, 'ERR', ExitCode.usage),
  configurationInvalid: row(4, false, 'ERR', ExitCode.configuration),
  portTaken: row(5, false, 'ERR', ExitCode.portTaken),
  connectionFailed: row(6, true, 'ERR', ExitCode.failed),
  // Outcomes of a write
  notEnoughReplicas: row(20, true, 'NOREPLICAS', ExitCode.failed),
  noLeader: row(21, true, 'CLUSTERDOWN', ExitCode.failed),
  notLeader: row(22, true, 'MOVED', ExitCode.failed),
  tryAgain: row(23, true, 'TRYAGAIN', ExitCode.failed),
  inDoubt: row(24, false, 'INDOUBT', ExitCode.inDoubt),
  crossPartition: row(25, false, 'CROSSSLOT', ExitCode.failed),
  shuttingDown: row(26, true, 'CLUSTERDOWN', ExitCode.failed),
  overloaded: row(27, true, 'TRYAGAIN', ExitCode.failed),
  // The disk and the directory
  diskFull: row(40, true, 'MISCONF', ExitCode.storage),
  diskUnwritable: row(41, false, 'MISCONF', ExitCode.storage),
  diskIo: row(42, false, 'MISCONF', ExitCode.storage),
  syncFailed: row(43, false, 'MISCONF', ExitCode.storage),
  partitionFenced: row(44, false, 'MISCONF', ExitCode.storage),
  corruptSegment: row(45, false, 'MISCONF', ExitCode.storage),
  corruptMetadata: row(46, false, 'MISCONF', ExitCode.storage),
  corruptHint: row(47, false, 'MISCONF', ExitCode.storage),
  wrongEngine: row(48, false, 'MISCONF', ExitCode.storage),
  futureFormat: row(49, false, 'MISCONF', ExitCode.storage),
  directoryLocked: row(50, true, 'MISCONF', ExitCode.storage),
  tornTailRefused: row(51, false, 'MISCONF', ExitCode.storage),
  foreignDirectory: row(52, false, 'MISCONF', ExitCode.storage),
  notFound: row(53, false, 'ERR', ExitCode.storage),
  // Coordination
  coordinatorUnavailable: row(60, true, 'CLUSTERDOWN', ExitCode.coordinator),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/**
 * An error that reached an edge. Expected outcomes inside the core are union values, not exceptions.
 * The message is one line that names the thing, the value, what is allowed and what to do.
 */
export class CaskadeError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CaskadeError';
    this.code = code;
  }

  get row(): ErrorRow {
    return ERROR_TABLE[this.code];
  }

  /** The text of a RESP error reply, without the leading '-'. */
  get respText(): string {
    return `${this.row.respPrefix} ${this.message}`;
  }
}

/** There was no room, and nothing has been changed: the same may succeed later. */
export function isDiskFull(error: unknown): error is CaskadeError {
  return error instanceof CaskadeError && error.code === 'diskFull';
}

/** A broken invariant of ours: never expected, never retried. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Programmer errors stay loud in production (STYLE 3.15). */
export function invariant(condition: boolean, text: string): asserts condition {
  if (!condition) throw new InvariantError(text);
}
