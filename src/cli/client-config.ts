import { readFileSync } from 'node:fs';
import { loadAll } from 'js-yaml';
import { z } from 'zod';
import { CHROOT } from '../config/chroot.ts';
import { CaskadeError } from '../model/errors.ts';
import { type Address, parseAddress } from './address.ts';
import type { ZooKeeperPlace } from './zookeeper-finder.ts';

/** What a client configuration file says, plus a notice to print when it holds a key that has no effect yet. */
export interface ClientConfig {
  readonly address?: Address;
  /** The server is found there; wins over `address`. */
  readonly zooKeeper?: ZooKeeperPlace;
  /** With --grpc, what a write waits for. */
  readonly acks?: AckMode;
  readonly notice?: string;
}

/** What a write waits for: every in-sync replica, the disk of the leader, nothing. */
export type AckMode = 'all' | 'leader' | 'none';

/** The predecessor's numbers are understood too: -1, 1, 0. Null for anything else. */
export function ackModeOf(text: string): AckMode | null {
  return ACK_MODES.get(text) ?? null;
}

const ACK_MODES: ReadonlyMap<string, AckMode> = new Map([
  ['all', 'all'],
  ['-1', 'all'],
  ['leader', 'leader'],
  ['1', 'leader'],
  ['none', 'none'],
  ['0', 'none'],
]);

const schema = z.strictObject({
  addr: z.string().optional(),
  // The predecessor's file may hold more, such as its session's timeout.
  zk: z
    .looseObject({
      servers: z.array(z.string()).min(1),
      chroot: z.string().regex(CHROOT.pattern, `expected ${CHROOT.allowed}`).default('/caskade'),
      auth: z.string().default(''),
    })
    .optional(),
  ack: z.union([z.number(), z.string()]).optional(),
});

const KNOWN_KEYS = 'addr, zk.servers, zk.chroot, zk.auth, ack';

const ACK_NOTICE = 'ack is ignored without --grpc: a write is always acknowledged by every in-sync replica';

export function readClientConfig(path: string): ClientConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new CaskadeError(
      'configurationInvalid',
      `cannot read the client configuration ${path} (${reason})`,
      {
        cause,
      },
    );
  }
  return parseClientConfig(text, path);
}

/** `path` only names the file in errors. Throws CaskadeError `configurationInvalid`. */
export function parseClientConfig(text: string, path: string): ClientConfig {
  const parsed = schema.safeParse(parseYaml(text, path) ?? {});
  if (!parsed.success) {
    const reasons = parsed.error.issues.map(({ path: key, message }) =>
      [key.join('.'), message].filter(Boolean),
    );
    const text = reasons.map((reason) => reason.join(': ')).join('; ');
    throw new CaskadeError('configurationInvalid', `${path}: ${text} (allowed keys: ${KNOWN_KEYS})`);
  }
  const { addr, zk, ack } = parsed.data;
  return {
    ...(addr === undefined ? {} : { address: addressOf(addr, path) }),
    ...(zk === undefined ? {} : { zooKeeper: placeOf(zk) }),
    ...(ack === undefined ? {} : ackEntries(acksOf(ack, path), path)),
  };
}

function parseYaml(text: string, path: string): unknown {
  try {
    // `load` takes an empty file for an error.
    return loadAll(text)[0];
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
    throw new CaskadeError('configurationInvalid', `${path} is not valid YAML: ${reason}`, { cause });
  }
}

function addressOf(text: string, path: string): Address {
  try {
    return parseAddress(text);
  } catch (cause) {
    throw new CaskadeError('configurationInvalid', `${path}: addr: ${(cause as Error).message}`, { cause });
  }
}

function ackEntries(acks: AckMode, path: string): Pick<ClientConfig, 'acks' | 'notice'> {
  return acks === 'all' ? { acks } : { acks, notice: `${path}: ${ACK_NOTICE}` };
}

function acksOf(ack: number | string, path: string): AckMode {
  const acks = ackModeOf(String(ack));
  if (acks !== null) return acks;
  throw new CaskadeError('configurationInvalid', `${path}: ack: expected all, leader or none (or -1, 1, 0)`);
}

function placeOf({ servers, chroot, auth }: ZooKeeperPlace): ZooKeeperPlace {
  return { servers, chroot, auth };
}
