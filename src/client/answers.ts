import { Acks, Guarantee, type Version as WireVersion } from '../rpc/generated/caskade/v1/kv.ts';
import { InDoubtError } from '../rpc/kv-errors.ts';

/** What a write waits for before it is answered. Only with `all` nothing that was answered is ever lost. */
export type AckMode = 'all' | 'leader' | 'none';

/** What holds of a write that was answered: committed, or only on the disk, or only in the memory of the leader. */
export type WriteGuarantee = 'committed' | 'leaderDiskOnly' | 'leaderMemoryOnly';

/** Of a key: its newest record. Of two versions of one key the one with the higher offset is newer. */
export interface KeyVersion {
  readonly partition: number;
  readonly leaderEpoch: number;
  /** Null: no record of the key is known (any more). */
  readonly offset: number | null;
}

export interface FoundValue {
  /** Null: there is no such key. */
  readonly value: Uint8Array | null;
  /** Milliseconds since 1970; null: it does not expire. */
  readonly expiresAtMs: number | null;
  readonly version: KeyVersion;
}

export interface FoundTtl {
  readonly found: boolean;
  /** Null: it does not expire. */
  readonly ttlMs: number | null;
  readonly version: KeyVersion;
}

export interface WriteResult {
  /** False: there was no such key, and nothing was changed. */
  readonly found: boolean;
  readonly version: KeyVersion;
  readonly guarantee: WriteGuarantee;
}

export const ACKS: Readonly<Record<AckMode, Acks>> = {
  all: Acks.ACKS_ALL,
  leader: Acks.ACKS_LEADER,
  none: Acks.ACKS_NONE,
};

export function versionOf(version: WireVersion | undefined): KeyVersion {
  const { partition, leaderEpoch, offset = null } = version ?? UNKNOWN_VERSION;
  return { partition, leaderEpoch, offset };
}

const UNKNOWN_VERSION: WireVersion = { partition: -1, leaderEpoch: -1, offset: undefined };

/** Throws `InDoubtError` for one that is not known here: it may be a weaker one, and is not passed on as if it were not. */
export function guaranteeOf(guarantee: Guarantee): WriteGuarantee {
  switch (guarantee) {
    case Guarantee.GUARANTEE_COMMITTED:
      return 'committed';
    case Guarantee.GUARANTEE_LEADER_DISK_ONLY:
      return 'leaderDiskOnly';
    case Guarantee.GUARANTEE_LEADER_MEMORY_ONLY:
      return 'leaderMemoryOnly';
    default:
      throw new InDoubtError(
        null,
        `the server promises something else (${Number(guarantee)}): it is a newer one`,
      );
  }
}
