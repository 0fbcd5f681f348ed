import type { CoordinatorSession } from '../coordination/coordinator.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { AdminRequest, FromController, ToController } from '../model/control-messages.ts';
import type { ControllerEpoch, NodeId } from '../model/numbers.ts';
import type { Reign } from './campaign.ts';
import type { ControllerRules } from './rules/rules.ts';

/** All in milliseconds. */
export interface ControllerSettings {
  /** Losses of nodes within this time are one event (PROTOCOL 2.11). */
  readonly settleMs: number;
  /** So long an election waits for reports (4.3-16). */
  readonly electionMsMax: number;
  /** So long a new partition waits for all its replicas. */
  readonly newPartitionMsMax: number;
  /** Between two attempts of a push or a query that nobody answered, and of a read that failed. */
  readonly retryMs: number;
  /** Leadership goes back to the preferred replica not earlier than this after it last changed. */
  readonly preferredMsMin: number;
  /** A node whose process refused connections counts as dead for so long, unless it speaks (R7). */
  readonly refusedMsMax: number;
}

export const CONTROLLER_SETTINGS: ControllerSettings = {
  settleMs: 200,
  electionMsMax: 300,
  newPartitionMsMax: 2_000,
  retryMs: 200,
  preferredMsMin: 30_000,
  refusedMsMax: 6_000,
};

export interface ControllerOptions {
  readonly nodeId: NodeId;
  readonly session: CoordinatorSession;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: ControllerSettings;
  /** Sends to a node (also to this one), or loses it. */
  send(node: NodeId, message: FromController): void;
  /** The controller gave up its reign; `epochSeen` is above ours if somebody knew more. Give it to `Campaign.gaveUp`. */
  gaveUp(reason: string, epochSeen: ControllerEpoch | null): void;
}

export type AdminResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** One for each session. Idle between reigns. */
export class Controller {
  constructor(rules: ControllerRules, options: ControllerOptions) {
    void [rules, options];
  }

  /** The campaign was won. */
  begin(reign: Reign): void {
    void reign;
  }

  /** The reign is over: everything in flight is dropped at once (W12). */
  end(): void {}

  /** From a node, this one included. Answers come through `send`; what comes while it does not reign is answered where the protocol asks for it. */
  receive(message: ToController): void {
    void message;
  }

  /** The process of this node refuses connections: treated as dead for a while, until it speaks or registers anew (R7). */
  nodeRefused(node: NodeId): void {
    void node;
  }

  /** Resolves when the wish has been taken over or refused. */
  async admin(request: AdminRequest): Promise<AdminResult> {
    void request;
    await null;
    return { ok: false, reason: 'this node is not the controller' };
  }
}
