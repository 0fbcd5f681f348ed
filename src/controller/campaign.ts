import type { CoordinatorSession } from '../coordination/coordinator.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { ControllerEpoch, Incarnation, NodeId } from '../model/numbers.ts';

/** One reign of this node: epoch, and the version of `/controller_epoch` that every write checks (W8). */
export interface Reign {
  readonly controllerEpoch: ControllerEpoch;
  readonly epochVersion: number;
}

/** Who reigns, as far as this node has seen. Nodes send what is for the controller there. */
export interface ReigningController {
  readonly nodeId: NodeId;
  readonly incarnation: Incarnation;
  readonly controllerEpoch: ControllerEpoch;
}

export interface CampaignOptions {
  readonly session: CoordinatorSession;
  readonly nodeId: NodeId;
  readonly incarnation: Incarnation;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retryMs: number;
  readonly host: CampaignHost;
}

/** What the node around the campaign does; `Controller.begin` and `Controller.end` belong to the first two. */
export interface CampaignHost {
  reignBegan(reign: Reign): void;
  /** Called at once when the session is suspended or lost, or another reigns. Everything of that reign is void. */
  reignEnded(reason: string): void;
  controllerChanged(controller: ReigningController | null): void;
}

/** One for each session. */
export class Campaign {
  constructor(options: CampaignOptions) {
    void options;
  }

  start(): void {}

  /** Withdraws for good; gives `/controller` back if it is ours. */
  async stop(): Promise<void> {}

  /** The process of this node refuses connections: if it reigns, take its place without waiting for its session (R7). */
  peerRefused(node: NodeId): void {
    void node;
  }

  /** The controller resigned by itself. The next epoch of this node is above `epochSeen`. */
  gaveUp(reason: string, epochSeen: ControllerEpoch | null): void {
    void [reason, epochSeen];
  }
}
