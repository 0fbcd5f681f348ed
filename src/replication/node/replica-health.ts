import type { ReplicaTrouble } from '../../model/control-messages.ts';
import type { LeaderEpoch, PartitionId } from '../../model/numbers.ts';
import type { ReplicaNode } from './replica-node.ts';
import { TroubleReporter } from './trouble-reporter.ts';

/** What is told until it is over. */
type Trouble = Exclude<ReplicaTrouble['trouble'], 'stuck'>;

/** What the health of a replica asks of it. */
export interface ReplicaHealthHost {
  /** Of the directory that counts; empty: there is none. */
  directoryId(): string;
  /** The newest it knows of. */
  leaderEpoch(): LeaderEpoch;
  /** Nobody else is assigned. */
  isAlone(): boolean;
}

/**
 * What stands against the use of one replica, and the word of it to the controller, said again and again while a role
 * has to do with it.
 */
export class ReplicaHealth {
  readonly #id: PartitionId;
  readonly #node: ReplicaNode;
  readonly #host: ReplicaHealthHost;
  readonly #troubles: TroubleReporter;
  #isBroken = false;
  #isSuspect = false;
  #isClosed = false;

  constructor(id: PartitionId, node: ReplicaNode, host: ReplicaHealthHost) {
    this.#id = id;
    this.#node = node;
    this.#host = host;
    this.#troubles = new TroubleReporter(node.doors.clock, (trouble) => this.#tell(trouble));
  }

  /** Its disk failed: nothing is written any more in this life of the process. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Its log is not to be trusted until it has been built anew. */
  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  /** A change of its files failed that is none of a role's: as its disk's failure. */
  failed(error: unknown): void {
    this.#node.doors.logger.error(
      { component: 'replica', partition: this.#id, err: error },
      'the replica has failed',
    );
    this.inTrouble('disk');
  }

  inTrouble(trouble: Trouble): void {
    if (trouble === 'corrupt' && !this.#isSuspect) {
      this.#node.rotFound();
      // Nobody else has it: to be out of the way would help nobody.
      if (this.#host.isAlone()) return;
    }
    if (trouble === 'disk') this.#isBroken = true;
    else this.#isSuspect = true;
    this.say(trouble);
  }

  /** Its role has failed, and has told of it, or the files are not closed well. */
  broke(): void {
    this.#isBroken = true;
  }

  /** Another directory, which is whole, counts from now on. */
  rebuilt(): void {
    this.#isSuspect = false;
    this.#troubles.end();
  }

  /** Tells of it from now on, whatever is known otherwise. */
  say(trouble: Trouble): void {
    if (!this.#isClosed) this.#troubles.begin(trouble);
  }

  /** Once: each attempt that fails tells it again. */
  sayStuck(): void {
    if (!this.#isClosed) this.#tell('stuck');
  }

  /** The role that had to do with it is over. */
  sayNoMore(): void {
    this.#troubles.end();
  }

  close(): void {
    this.#isClosed = true;
    this.#troubles.end();
  }

  #tell(trouble: ReplicaTrouble['trouble']): void {
    if (this.#node.isBetweenLives) return;
    this.#node.doors.controller.send({
      kind: 'replicaTrouble',
      node: this.#node.settings.nodeId,
      incarnation: this.#node.incarnation,
      partition: this.#id,
      leaderEpoch: this.#host.leaderEpoch(),
      directoryId: this.#host.directoryId(),
      trouble,
    });
  }
}
