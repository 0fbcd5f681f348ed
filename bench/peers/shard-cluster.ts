import type { Peer } from './peer.ts';
import type { PeerProcess } from './peer-process.ts';

/** One server of a cluster that may fail. */
export interface ClusterMember {
  readonly process: PeerProcess;
  /** Of 127.0.0.1, where cluster clients ask. */
  readonly port: number;
}

/** One of the parts into which the keys are divided, each with a leader of its own. */
export interface Shard {
  readonly name: string;
  /** A key that lies in it. */
  readonly key: string;
}

export interface Victim {
  readonly member: ClusterMember;
  /** What it was when it was chosen: for the table. */
  readonly role: string;
}

/** A peer that elects new leaders for itself when a server fails. */
export interface ShardCluster extends Peer {
  readonly members: readonly ClusterMember[];
  readonly shards: readonly Shard[];
  /** Resolves when every server runs and every shard has all its copies in sync. */
  whole(): Promise<void>;
  /** Whose failure round number `round` (from 0) looks at. */
  victim(round: number): Promise<Victim>;
}
