import type {
  FromController,
  HandOverRequest,
  IsrProposalReply,
  ReplicaQuery,
  StatePush,
} from '../../model/control-messages.ts';
import type { ControllerEpoch } from '../../model/numbers.ts';
import type { ReplicaReport } from '../../model/partition-state.ts';
import type { ClusterMetadata } from './cluster-metadata.ts';
import type { ReplicaNode } from './replica-node.ts';
import type { ReplicaSet } from './replica-set.ts';
import { StateAcks } from './state-acks.ts';

/**
 * What the controller says to this node: heard only from the newest one that is known, and where it means a life only
 * in that life (KAFKA-1096, KAFKA-7235).
 */
export class ControlInbox {
  readonly #node: ReplicaNode & { readonly metadata: ClusterMetadata };
  readonly #replicas: ReplicaSet;
  readonly #clusterTold: (push: StatePush) => void;
  readonly #acks: StateAcks;
  /** The newest controller that has spoken. */
  #heardEpoch: number;

  /** `clusterTold`: what a push says of facts and nodes is to be noted, before its states are taken over. */
  constructor(
    node: ReplicaNode & { readonly metadata: ClusterMetadata },
    replicas: ReplicaSet,
    clusterTold: (push: StatePush) => void,
  ) {
    this.#node = node;
    this.#replicas = replicas;
    this.#clusterTold = clusterTold;
    this.#heardEpoch = node.nodeState.controllerEpochMax;
    this.#acks = new StateAcks(node.doors, node.settings.nodeId, () => node.incarnation);
  }

  receive(message: FromController): void {
    switch (message.kind) {
      case 'statePush':
        this.#pushed(message);
        break;
      case 'replicaQuery':
        this.#asked(message);
        break;
      case 'isrProposalReply':
        this.#answered(message);
        break;
      case 'handOverRequest':
        this.#askedToHandOver(message);
        break;
      case 'shutdownReply':
        return;
    }
    this.#lookWhoReigns(message.controllerEpoch);
  }

  /** What was taken over in the life that is over is not acknowledged any more. */
  lifeEnded(): void {
    this.#acks.forget();
  }

  #pushed(push: StatePush): void {
    if (push.targetIncarnation !== this.#node.incarnation || !this.#isCurrent(push.controllerEpoch)) return;
    const { controllerEpoch, targetIncarnation } = push;
    this.#clusterTold(push);
    for (const state of push.partitions) {
      void this.#replicas.take(state, controllerEpoch).then((isTaken) => {
        const isSameLife = !this.#node.isBetweenLives && targetIncarnation === this.#node.incarnation;
        if (isTaken && isSameLife) this.#acks.add(controllerEpoch, state);
      });
    }
    this.#node.metadata.changed();
  }

  /**
   * An answer is a promise, in this life and the next, to learn no version of an earlier reign (R17): the epoch of who
   * asks is durable before it. A controller that does not know of one after it is told: a coordinator that lost writes
   * may have let it reign below.
   */
  #asked(query: ReplicaQuery): void {
    const epoch = query.controllerEpoch;
    if (epoch < this.#node.nodeState.controllerEpochMax) {
      this.#answer(query, []);
      return;
    }
    const answer = (): void => {
      if (!this.#node.isBetweenLives) this.#answer(query, this.#replicas.reports(query.partitions));
    };
    // Asked again when it could not be made durable.
    this.#raised(epoch).then(answer, () => undefined);
  }

  #answer({ queryId, controllerEpoch: queryEpoch }: ReplicaQuery, reports: readonly ReplicaReport[]): void {
    const { controllerEpochMax } = this.#node.nodeState;
    this.#node.doors.controller.send({
      kind: 'replicaQueryReply',
      node: this.#node.settings.nodeId,
      incarnation: this.#node.incarnation,
      queryId,
      queryEpoch,
      controllerEpoch: controllerEpochMax,
      reports: queryEpoch === controllerEpochMax ? reports : [],
    });
  }

  #answered(reply: IsrProposalReply): void {
    if (!this.#isCurrent(reply.controllerEpoch)) return;
    const leader = this.#replicas.get(reply.partition)?.leader;
    if (leader?.leaderEpoch === reply.leaderEpoch) leader.proposalReply(reply);
  }

  #askedToHandOver(request: HandOverRequest): void {
    if (request.incarnation !== this.#node.incarnation || !this.#isCurrent(request.controllerEpoch)) return;
    const replica = this.#replicas.get(request.partition);
    if (replica?.uuid === request.uuid) replica.role.handOver(request.leaderEpoch);
  }

  /** The one before may have gone with what it was asked: it is asked of the new one, and not only when the retry is due. */
  #lookWhoReigns(controllerEpoch: ControllerEpoch): void {
    if (controllerEpoch <= this.#heardEpoch) return;
    this.#heardEpoch = controllerEpoch;
    for (const replica of this.#replicas.all) replica.leader?.controllerChanged();
  }

  /** A controller that another has followed says nothing any more (KAFKA-1096). */
  #isCurrent(controllerEpoch: ControllerEpoch): boolean {
    if (controllerEpoch < this.#node.nodeState.controllerEpochMax) return false;
    this.#raised(controllerEpoch).catch(() => undefined);
    return true;
  }

  /** Rejects when it could not be made durable. */
  async #raised(controllerEpoch: ControllerEpoch): Promise<void> {
    try {
      await this.#node.nodeState.raiseControllerEpoch(controllerEpoch);
    } catch (error) {
      this.#node.doors.logger.error(
        { component: 'replica', err: error },
        'a controller epoch is not durable',
      );
      throw error;
    }
  }
}
