import { type Command, PipelinedClient, plain, withClient } from './pipelined-client.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { ServerProcess } from './server-process.ts';
import { type Held, TTL_UNIT_SECONDS, WriteLedger } from './write-ledger.ts';

/** A kill with fewer acknowledged writes before it proves too little to count. */
export const ACKED_MIN = 1000;
/** Small segments and eager merges: rolls, hints and merges are cut off too. */
export const RESTLESS_STORAGE = [
  '--storage.segmentBytesMax=256KiB',
  '--storage.cacheBytesMax=2MiB',
  '--merge.deadRatioMin=0.2',
  '--merge.bytesPerSecondMax=0',
];
const PIPELINE_DEPTH = 64;
const BURST = 16;
const READ_COMMANDS = 2000;

export interface KillOutcome {
  acked: number;
  inDoubt: number;
  lost: number;
  /** Writers whose keys are no prefix of what they sent. */
  reordered: number;
  /** What DBSIZE says, less what it should say. */
  surplusKeys: number;
}

/** Several connections that write until the server is killed, and look afterwards what is left. */
export class CrashLoad {
  readonly #random: SeededRandom;
  readonly #ledgers: readonly WriteLedger[];

  constructor(random: SeededRandom, writers: number) {
    this.#random = random;
    this.#ledgers = Array.from(
      { length: writers },
      (_, index) => new WriteLedger(`w${index}`, random.fork()),
    );
  }

  /** Writes from all connections; kills the server at a moment of chance after `ackedTarget` acknowledged writes. */
  async writeUntilKilled(server: ServerProcess, ackedTarget: number): Promise<KillOutcome> {
    for (const ledger of this.#ledgers) ledger.acked = 0;
    const writers = await Promise.all(this.#ledgers.map((ledger) => Writer.connect(server.port, ledger)));
    try {
      for (const writer of writers) writer.write();
      while (this.#acked < ackedTarget) await this.#pause(writers, 1);
      await this.#pause(writers, this.#random.below(15));
      await server.kill('SIGKILL');
      await Promise.all(writers.map((writer) => writer.ended));
    } finally {
      for (const writer of writers) writer.close();
    }
    const inDoubt = this.#ledgers.reduce((sum, { inFlight }) => sum + inFlight, 0);
    return { acked: this.#acked, inDoubt, lost: 0, reordered: 0, surplusKeys: 0 };
  }

  /** Reads every key back over fresh connections and completes the outcome of the last kill. */
  async readBack(port: number, outcome: KillOutcome): Promise<KillOutcome> {
    const findings = await Promise.all(
      this.#ledgers.map(async (ledger) => ledger.compare(await readHeld(port, ledger.keys))),
    );
    outcome.lost = findings.reduce((sum, { lost }) => sum + lost.length, 0);
    outcome.reordered = findings.filter(({ reordered }) => reordered).length;
    const live = this.#ledgers.reduce((sum, ledger) => sum + ledger.liveKeys, 0);
    const size = await withClient(port, (client) => client.ask('DBSIZE'));
    outcome.surplusKeys = Number(size) - live;
    return outcome;
  }

  get #acked(): number {
    return this.#ledgers.reduce((sum, { acked }) => sum + acked, 0);
  }

  async #pause(writers: readonly Writer[], milliseconds: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    for (const writer of writers) writer.rethrow();
  }
}

/** Keeps its connection's pipeline full. */
class Writer {
  readonly #client: PipelinedClient;
  readonly #ledger: WriteLedger;
  #failure: Error | undefined;

  private constructor(client: PipelinedClient, ledger: WriteLedger) {
    this.#client = client;
    this.#ledger = ledger;
  }

  static async connect(port: number, ledger: WriteLedger): Promise<Writer> {
    return new Writer(await PipelinedClient.connect(port), ledger);
  }

  get ended(): Promise<void> {
    return this.#client.closed.then(() => this.rethrow());
  }

  write(): void {
    while (this.#client.isOpen && this.#failure === undefined && this.#ledger.inFlight < PIPELINE_DEPTH) {
      const commands: Command[] = [];
      for (let index = 0; index < BURST; index += 1) commands.push(this.#ledger.next().command);
      this.#client.sendEach(commands, (reply) => {
        if (reply === null) return;
        try {
          this.#ledger.acknowledge(plain(reply));
          if (this.#ledger.inFlight <= PIPELINE_DEPTH - BURST) this.write();
        } catch (error) {
          this.#failure ??= error instanceof Error ? error : new Error(String(error));
        }
      });
    }
  }

  /** A wrong answer, or an end that no kill explains, fails the test. */
  rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  close(): void {
    this.#client.close();
  }
}

async function readHeld(port: number, keys: readonly string[]): Promise<Map<string, Held>> {
  const found = new Map<string, Held>();
  await withClient(port, async (client) => {
    for (let from = 0; from < keys.length; from += READ_COMMANDS) {
      const some = keys.slice(from, from + READ_COMMANDS);
      const replies = await client.pipeline(
        some.flatMap((key) => [
          ['GET', key],
          ['PTTL', key],
        ]),
      );
      for (const [index, key] of some.entries()) {
        const [value, ttlMs] = replies.slice(index * 2, index * 2 + 2).map(plain);
        found.set(key, { value: value as string | null, ttlUnits: unitsOf(Number(ttlMs)) });
      }
    }
  });
  return found;
}

function unitsOf(ttlMs: number): number {
  return ttlMs < 0 ? 0 : Math.ceil(ttlMs / (TTL_UNIT_SECONDS * 1000));
}

export function describeKill(name: string, outcome: KillOutcome): string {
  const { acked, inDoubt, lost, reordered, surplusKeys } = outcome;
  const bad =
    reordered === 0 && surplusKeys === 0 ? '' : `, reordered ${reordered}, surplus keys ${surplusKeys}`;
  return `      ${name}: acked ${acked}, in doubt ${inDoubt}, lost ${lost}${bad}\n`;
}
