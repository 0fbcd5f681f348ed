import type { SeededRandom } from '../../support/seeded-random.ts';
import type { Trouble } from '../checkers/disturbance.ts';
import type { Telling } from '../checkers/exactly-once.ts';
import type { History } from '../checkers/history.ts';
import { Archivist } from '../clients/archivist.ts';
import type { ClientKind } from '../clients/numbering.ts';
import { Onlooker } from '../clients/onlooker.ts';
import {
  type ClientOptions,
  type ClientTransport,
  type ClientWitness,
  SimulatedClient,
} from '../clients/simulated-client.ts';
import { registersOf, Workload, type WorkloadOptions } from '../clients/workload.ts';

export interface CrowdOptions {
  readonly clients: number;
  readonly client: Omit<ClientOptions, 'client' | 'kind'>;
  readonly workload: WorkloadOptions;
  readonly nowMs: () => number;
  readonly met: ClientWitness['met'];
}

/** What the clients are, one after the other. */
const KINDS: readonly ClientKind[] = ['plain', 'client', 'forwarder', 'plain', 'client'];

const LOOK_EVERY_MS = 70;
const LOOK_MS_MAX = 1_000;

/** All clients of a run, and what became of their requests but an answer. */
export class ClientCrowd {
  /** Every answer to a numbered command. */
  readonly tellings: Telling[] = [];
  readonly refusals: Trouble[] = [];
  readonly doubts: Trouble[] = [];
  readonly #clients: readonly (SimulatedClient | Onlooker | Archivist)[];

  constructor(options: CrowdOptions, transport: ClientTransport, history: History, random: SeededRandom) {
    const trouble = (into: Trouble[]) => (partition: number, reason: string) => {
      into.push({ atMs: options.nowMs(), partition, reason });
    };
    const told: ClientWitness['told'] = (partition, numbered, reply) => {
      this.tellings.push({ ...numbered, partition, reply, atMs: options.nowMs() });
    };
    const witness = {
      refused: trouble(this.refusals),
      unknown: trouble(this.doubts),
      told,
      met: options.met,
    };
    const clients = Array.from({ length: options.clients }, (_, index) => {
      const client = index + 1;
      const kind = KINDS[index % KINDS.length] ?? 'plain';
      const workload = new Workload(random.fork(), client, options.workload);
      return new SimulatedClient(
        { ...options.client, client, kind },
        transport,
        workload,
        history,
        random.fork(),
        witness,
      );
    });
    const onlooker = {
      client: options.clients + 1,
      partitions: options.workload.partitions,
      keysOf: registersOf,
      everyMs: LOOK_EVERY_MS,
      timeoutMs: LOOK_MS_MAX,
    };
    const archivist = {
      client: options.clients + 2,
      partitions: options.workload.partitions,
      wallMs: options.workload.wallMs,
      stalenessMsMax: options.client.stalenessMsMax,
    };
    this.#clients = [
      ...clients,
      new Onlooker(onlooker, transport, history, random.fork()),
      new Archivist(archivist, transport, history, random.fork()),
    ];
  }

  get isIdle(): boolean {
    return this.#clients.every(({ isIdle }) => isIdle);
  }

  start(): void {
    for (const client of this.#clients) client.start();
  }

  stop(): void {
    for (const client of this.#clients) client.stop();
  }
}
