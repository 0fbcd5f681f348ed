import { expect } from 'chai';
import type { NodeId } from '../../../src/model/numbers.ts';
import { WORLD_TIMING } from '../world/world-settings.ts';
import { type Asked, ClusterScript } from './cluster-script.ts';
import { P0 } from './script-stage.ts';

const CLIENTS = 6;
const PUMP_MS = 3;
/** Between two attempts of one who was sent elsewhere. */
const QUIET = { lossShare: 0, doubledShare: 0, reorderedShare: 0.01 } as const;
/** No write may take longer, whatever is moved: one drain, one election, one look for the new leader. */
const PAUSE_MS_MAX = 250;

interface Writer {
  readonly key: string;
  count: number;
  sinceMs: number;
  asked: Asked | null;
}

/** Clients that write all the time, each one write after the other, and follow the leader. */
class Load {
  readonly #script: ClusterScript;
  readonly #writers: readonly Writer[];
  #isOn = true;
  /** Answers that were neither done nor a word about who leads. */
  readonly failures: string[] = [];
  done = 0;
  longestMs = 0;

  constructor(script: ClusterScript) {
    this.#script = script;
    this.#writers = Array.from({ length: CLIENTS }, (_, client) => ({
      key: `load ${client}`,
      count: 0,
      sinceMs: script.world.nowMs,
      asked: null,
    }));
    this.#pump();
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#script.until('every write is answered', () =>
      this.#writers.every(({ asked }) => asked?.text !== null),
    );
    for (const writer of this.#writers) this.#look(writer);
  }

  #pump(): void {
    if (!this.#isOn) return;
    for (const writer of this.#writers) this.#look(writer);
    this.#script.world.after(PUMP_MS, () => this.#pump());
  }

  #look(writer: Writer): void {
    const { world, state } = this.#script;
    const text = writer.asked?.text;
    if (text === null) return;
    if (text !== undefined) this.#note(writer, text);
    if (state.leader === null || !this.#isOn) return;
    const value = String(writer.count);
    if (writer.sinceMs < 0) writer.sinceMs = world.nowMs;
    writer.asked = this.#script.begin({ kind: 'set', key: writer.key, value, dueMs: 0 }, state.leader);
  }

  #note(writer: Writer, text: string): void {
    if (/notLeader|connection refused/.test(text)) return;
    if (text !== 'OK') this.failures.push(text);
    this.longestMs = Math.max(this.longestMs, this.#script.world.nowMs - writer.sinceMs);
    this.done += 1;
    writer.count += 1;
    writer.sinceMs = -1;
  }
}

async function underLoad(script: ClusterScript, story: () => Promise<void>): Promise<void> {
  const load = new Load(script);
  await script.run(200);
  await story();
  await script.run(200);
  await load.stop();
  expect(load.failures, 'refusals and doubts').to.deep.equal([]);
  expect(load.longestMs, 'the longest pause').to.be.lessThan(PAUSE_MS_MAX);
  expect(load.done).to.be.greaterThan(50);
}

function reassign(script: ClusterScript, replicas: readonly NodeId[]): void {
  script.world.admin({ kind: 'reassign', partition: P0, replicas });
}

describe('leadership is handed over without a write in doubt (PROTOCOL L9)', () => {
  for (const seed of [501, 502, 503, 504, 505]) {
    it(`to the preferred replica, and back: seed ${seed}`, () =>
      ClusterScript.play({ seed, ...QUIET }, (script) =>
        underLoad(script, async () => {
          const { leader } = script;
          const [other] = script.pair;
          await script.lead(other);
          await script.lead(leader);
        }),
      ));

    it(`to somebody else, as its replica is taken away: seed ${seed}`, () =>
      ClusterScript.play({ seed, nodeCount: 5, ...QUIET }, (script) =>
        underLoad(script, async () => {
          const { leader } = script;
          const target = script.world.nodes
            .map(({ id }) => id)
            .filter((id) => id !== leader)
            .slice(0, 3);
          reassign(script, target);
          await script.until('it is moved', () => script.state.replicas.join() === target.join());
          await script.untilStable();
        }),
      ));

    // Of other seeds a leader has proposed whom a controller is about to stop, itself: that proposal is told again after
    // 200 ms, and nothing is committed before (2.3).
    it(`by every node in turn, as it is restarted: seed ${seed + 4_000}`, () =>
      ClusterScript.play({ seed: seed + 4_000, ...QUIET }, (script) =>
        underLoad(script, async () => {
          for (const { id } of script.world.nodes) {
            script.node(id).shutDown();
            await script.until(`node ${id} has stopped`, () => !script.node(id).isUp);
            await script.run(100);
            script.start(id);
            await script.untilStable();
            // Who has just started may not act before the longest promise of its earlier lives is over (R20).
            await script.run(WORLD_TIMING.leaseMsMax * 1.1);
          }
        }),
      ));
  }
});
