import { ClusterRouter } from '../../src/cluster/cluster-router.ts';
import { Forwarder } from '../../src/cluster/forward/forwarder.ts';
import type { ForwardReply, ForwardRequest } from '../../src/cluster/forward/messages.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { Executor } from '../../src/commands/executor.ts';
import { ForwardInbox } from '../../src/commands/forwarded/forward-inbox.ts';
import { ForwardPlacement } from '../../src/commands/forwarding/forward-placement.ts';
import type { Session } from '../../src/commands/session.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { asDatabaseId, type NodeId, type Offset } from '../../src/model/numbers.ts';
import { ArgumentViews } from '../../src/resp/arguments.ts';
import { fill, Harness } from '../commands/harness.ts';
import { RecordingReply } from '../commands/recording-reply.ts';
import type { LiveNode, World } from '../simulation/world/world.ts';
import { CollectingLogger } from './collecting-logger.ts';

const LATENCY_MS = 0.3;

/** What clients and other nodes speak to, for one life of one node of a world. */
export class CommandNode {
  readonly node: LiveNode;
  readonly router: ClusterRouter;
  readonly inbox: ForwardInbox;
  readonly forwarder: Forwarder;
  readonly #executor: Executor;
  readonly #server = new Harness().server;

  constructor(node: LiveNode, streams: WorldStreams, patienceMs: number) {
    this.node = node;
    const { clock } = node;
    const { replicas } = node.cluster;
    const { metadata } = replicas;
    const leading = replicas.leading.bind(replicas);
    const router = new ClusterRouter({ self: node.id, metadata, leading });
    this.router = router;
    this.inbox = new ForwardInbox({ router, ports: this.#server, clock, logger: new CollectingLogger() });
    this.forwarder = new Forwarder({
      self: node.id,
      map: router,
      link: { send: (to, request) => streams.send(this, to, request) },
      service: this.inbox,
      clock,
      incarnation: () => replicas.incarnation,
      // The worlds' partitions remember 32 commands of a producer.
      limits: { ...LIMITS, forwardWindow: 8 },
    });
    const placement = new ForwardPlacement({ router, forwarder: this.forwarder, patienceMs });
    const { table, counters } = this.#server;
    this.#executor = new Executor(table, counters, placement);
  }

  /** One command of a client of its own; `respond` is told the reply as RESP text. */
  run(words: readonly string[], respond: (reply: string) => void): void {
    const reply = new RecordingReply();
    const session = newSession(this.node);
    const args = new ArgumentViews();
    const { clock } = this.node;
    const context = new CommandContext(args, reply, session, this.router, this.#server, clock);
    fill(args, words);
    this.#execute(context, reply, respond);
  }

  #execute(context: CommandContext, reply: RecordingReply, respond: (reply: string) => void): void {
    this.#executor.execute(context);
    const { suspension, deferred } = context;
    if (suspension !== null) void suspension.then(() => this.#execute(context, reply, respond));
    else if (deferred !== null)
      deferred.whenAnswered((bytes) => respond(Buffer.from(bytes).toString('latin1')));
    else void held(context).then((isCommitted) => respond(isCommitted ? reply.take() : '-INDOUBT\r\n'));
  }
}

/** Streams between command nodes: in order; broken when either end's process has ended. */
export class WorldStreams {
  readonly #world: World;
  readonly #patienceMs: number;
  readonly #nodes = new Map<NodeId, CommandNode>();
  readonly #open = new Map<string, { readonly receiver: CommandNode }>();
  sentCount = 0;

  constructor(world: World, patienceMs: number) {
    this.#world = world;
    this.#patienceMs = patienceMs;
    world.observe(() => this.#lookWhoIsGone());
  }

  /** Of the life that is there now. */
  at(node: LiveNode): CommandNode {
    const known = this.#nodes.get(node.id);
    if (known?.node.life === node.life) return known;
    const made = new CommandNode(node, this, this.#patienceMs);
    this.#nodes.set(node.id, made);
    return made;
  }

  send(from: CommandNode, to: NodeId, request: ForwardRequest): boolean {
    const { live } = this.#world.node(to);
    if (live === null) return false;
    const receiver = this.at(live);
    const name = `${from.node.id}>${to}`;
    let open = this.#open.get(name);
    if (open !== undefined && open.receiver !== receiver) return false;
    if (open === undefined) {
      open = { receiver };
      this.#open.set(name, open);
    }
    this.sentCount += 1;
    const own = open;
    const isUp = (): boolean =>
      this.#isAlive(from) && this.#isAlive(receiver) && this.#open.get(name) === own;
    const stream = {
      send: (reply: ForwardReply) =>
        this.#world.after(LATENCY_MS, () => {
          if (isUp()) from.forwarder.replied(to, reply);
        }),
    };
    this.#world.after(LATENCY_MS, () => {
      if (isUp()) receiver.inbox.received(stream, request);
    });
    return true;
  }

  /** What is under way on any stream is lost, in either direction. */
  breakAll(): void {
    for (const [name, { receiver }] of [...this.#open]) this.#break(name, receiver);
  }

  #isAlive({ node }: CommandNode): boolean {
    return this.#world.node(node.id).live?.life === node.life;
  }

  #lookWhoIsGone(): void {
    for (const [name, { receiver }] of this.#open) {
      if (!this.#isAlive(receiver)) this.#break(name, receiver);
    }
  }

  #break(name: string, receiver: CommandNode): void {
    this.#open.delete(name);
    const from = this.#nodes.get(Number(name.split('>')[0]) as NodeId);
    if (from !== undefined && this.#isAlive(from)) from.forwarder.broken(receiver.node.id);
  }
}

async function held(context: CommandContext): Promise<boolean> {
  for (let at = 0; at < context.holdCount; at += 1) {
    const partition = context.holdPartitions[at] as CommandContext['holdPartitions'][number];
    const offset = context.holdOffsets[at] as Offset;
    await partition.whenResolved(offset);
    if (offset >= partition.highWatermark) return false;
  }
  return true;
}

function newSession({ clock }: LiveNode): Session {
  return {
    id: 1,
    address: '',
    localAddress: '',
    createdAtMs: clock.wallMs(),
    name: '',
    libraryName: '',
    libraryVersion: '',
    database: asDatabaseId(0),
    closeAfterReply: false,
    appended: [],
    committed: () => undefined,
    inDoubt: () => undefined,
  };
}
