import type { LeaderPartition, MapSource } from '../cluster/index.ts';
import type { EpochMillis, MonotonicMillis, NodeId, Offset, PartitionId, Slot } from '../model/numbers.ts';
import { RateMeter } from './rate-meter.ts';
import type { CommandTable } from './table.ts';

/** What INFO wants to know of the process; server wires it. */
export interface ServerStats {
  readonly version: string;
  readonly runId: string;
  readonly processId: number;
  readonly port: number;
  readonly executable: string;
  readonly configFile: string;
  readonly dataDirectory: string;
  readonly engine: string;
  readonly flushMode: string;
  readonly startedAtMs: MonotonicMillis;
  readonly startedAtWallMs: EpochMillis;
  readonly memory: () => {
    readonly rssBytes: number;
    readonly heapUsedBytes: number;
    readonly externalBytes: number;
    readonly rssPeakBytes: number;
  };
  readonly cpuSeconds: () => { readonly user: number; readonly system: number };
  /** Largest delay of the event loop in the last seconds, in milliseconds. */
  readonly loopLagMs: () => number;
  readonly recoveryMs: number;
}

/** What INFO and CLIENT want to know of the connections; network keeps it. */
export interface ClientRegistry {
  readonly connectedClients: number;
  readonly clientsMax: number;
  readonly connectionsReceived: number;
  readonly connectionsRejected: number;
  readonly netInputBytes: number;
  readonly netOutputBytes: number;
  /** Bytes in the connections' input and output buffers; where it is not kept, INFO says 0. */
  readonly bufferBytes?: number;
  /** Reads from and writes to sockets. */
  readonly readsProcessed?: number;
  readonly writesProcessed?: number;
}

/** CONFIG GET: Redis' names and our own keys, each with its value as text. */
export interface ConfigView {
  entries(): Iterable<readonly [string, string]>;
}

/** Counters that commands and the executor keep. */
export class CommandCounters {
  commandsProcessed = 0;
  keyspaceHits = 0;
  keyspaceMisses = 0;
  errorReplies = 0;
  /** Error replies by their prefix ('ERR', 'MISCONF', ...). */
  readonly errorsByPrefix = new Map<string, number>();
  readonly rates = new RateMeter();

  /** Counts an error reply; `text` begins with the prefix. */
  countError(text: string): void {
    const prefix = prefixOf(text);
    this.errorReplies += 1;
    this.errorsByPrefix.set(prefix, (this.errorsByPrefix.get(prefix) ?? 0) + 1);
  }

  /** An error that was counted is not the reply after all. */
  takeBackError(text: string): void {
    const prefix = prefixOf(text);
    const count = this.errorsByPrefix.get(prefix) ?? 0;
    if (count > 0) this.errorReplies -= 1;
    if (count > 1) this.errorsByPrefix.set(prefix, count - 1);
    else this.errorsByPrefix.delete(prefix);
  }

  reset(): void {
    this.commandsProcessed = 0;
    this.keyspaceHits = 0;
    this.keyspaceMisses = 0;
    this.errorReplies = 0;
    this.errorsByPrefix.clear();
    this.rates.reset();
  }
}

function prefixOf(text: string): string {
  const space = text.indexOf(' ');
  return space < 0 ? text : text.slice(0, space);
}

/** Which clients a listener is for (R23). */
export type ListenerKind = 'plain' | 'cluster';

/** Where everything is led, and what is led here. */
export interface ClusterSource extends MapSource {
  /** The partition of a slot, if this node leads it. */
  ledSlot(slot: Slot): LeaderPartition | null;
}

/** A connection to another node that nodes talk over. */
export interface ClusterLink {
  readonly node: NodeId;
  /** `to`: this node opened it. */
  readonly direction: 'to' | 'from';
  readonly createdAtMs: EpochMillis;
  readonly unsentBytes: number;
}

/** What commands of a node of a cluster may know of it: one for each listener. */
export interface ClusterPort {
  readonly listener: ListenerKind;
  readonly source: ClusterSource;
  /** Replicas too are named where cluster clients ask for the topology, not leaders only (R23). */
  readonly announcesReplicas: boolean;
  /** WAIT without a timeout waits no longer. */
  readonly writeTimeoutMs: number;
  /** Where the replica stands that is held here, whoever leads it; null: none is. */
  replica(partition: PartitionId): { readonly logEndOffset: Offset; readonly committedOffset: Offset } | null;
  links(): readonly ClusterLink[];
}

export interface ServerPorts {
  readonly stats: ServerStats;
  readonly clients: ClientRegistry;
  readonly config: ConfigView;
  readonly counters: CommandCounters;
  readonly table: CommandTable;
  /** Absent: a node that is alone. */
  readonly cluster?: ClusterPort;
  /** Largest value in bytes that a command may store. */
  readonly valueBytesMax: number;
  /** A merge that a command started has failed: for the log, the command was answered long ago. */
  readonly mergeFailed: (partition: PartitionId, error: unknown) => void;
  /** Starts an orderly shutdown and returns at once. */
  readonly shutdown: () => void;
}

/** Clients of the plain listener are to take a cluster for one server. */
export function modeOf({ cluster }: ServerPorts): 'standalone' | 'cluster' {
  return cluster?.listener === 'cluster' ? 'cluster' : 'standalone';
}
