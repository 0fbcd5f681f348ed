import type { FileHandle } from '../../../src/env/file-system.ts';
import type { ControlMessage } from '../../../src/model/control-messages.ts';
import { asIncarnation, asNodeId, type NodeId } from '../../../src/model/numbers.ts';
import type { PeerMessage } from '../../../src/replication/messages.ts';
import { DataCenter } from './data-center.ts';
import { FAULT_KINDS } from './fault.ts';
import { FaultInjector } from './fault-injector.ts';
import type { NodeProgram, ProgramDoors } from './machine.ts';

const RECORD_BYTES = 8;
const PATH = '/data/partitions/0/notes.log';

/** A program that does a little of everything: talks to all others, writes and syncs a file, and registers in the coordinator. */
export class ChatterProgram implements NodeProgram {
  readonly heardFrom = new Map<NodeId, number[]>();
  readonly refusals = new Set<NodeId>();
  readonly #doors: ProgramDoors;
  readonly #file: FileHandle;
  readonly foundCount: number;
  #writtenCount: number;
  #syncedCount: number;
  #sentCount = 0;

  private constructor(doors: ProgramDoors, file: FileHandle, foundCount: number) {
    this.#doors = doors;
    this.#file = file;
    this.foundCount = foundCount;
    this.#writtenCount = foundCount;
    this.#syncedCount = foundCount;
  }

  static async open(doors: ProgramDoors): Promise<ChatterProgram> {
    const { fileSystem } = doors;
    await fileSystem.makeDirectory('/data/partitions/0');
    const isNew = !(await fileSystem.exists(PATH));
    const file = await fileSystem.open(PATH, isNew ? 'create' : 'write');
    for (const path of ['/', '/data', '/data/partitions', '/data/partitions/0'])
      await fileSystem.syncDirectory(path);
    const found = await countRecords(file);
    const program = new ChatterProgram(doors, file, found);
    program.#talk();
    program.#write().catch((error: unknown) => doors.exit(String(error)));
    doors.coordinator.open().observe('/nodes', 'children', () => undefined);
    return program;
  }

  get syncedCount(): number {
    return this.#syncedCount;
  }

  receivePeer(message: PeerMessage): void {
    if (message.kind !== 'leaseStamp') return;
    const heard = this.heardFrom.get(message.from) ?? [];
    heard.push(message.sequence);
    this.heardFrom.set(message.from, heard);
  }

  receiveControl(_message: ControlMessage): void {}

  peerRefused(node: NodeId): void {
    this.refusals.add(node);
  }

  async stop(): Promise<void> {
    await this.#file.close();
  }

  #talk(): void {
    const { clock, id, random } = this.#doors;
    for (const peer of [1, 2, 3]) {
      if (peer === id) continue;
      this.#sentCount += 1;
      this.#doors.sendPeer(asNodeId(peer), {
        kind: 'leaseStamp',
        from: id,
        fromIncarnation: asIncarnation(1),
        sequence: this.#sentCount,
        leaseMs: random.below(100),
        wallMs: clock.wallMs(),
      });
    }
    clock.setTimer(5 + random.below(10), () => this.#talk());
  }

  async #write(): Promise<void> {
    for (;;) {
      const record = new Uint8Array(RECORD_BYTES).fill(1);
      await this.#file.writeAt([record], this.#writtenCount * RECORD_BYTES);
      this.#writtenCount += 1;
      const written = this.#writtenCount;
      if (written % 3 === 0) {
        await this.#file.sync();
        this.#syncedCount = written;
      }
    }
  }
}

async function countRecords(file: FileHandle): Promise<number> {
  const bytes = new Uint8Array(await file.size());
  await file.readAt(bytes, 0);
  const firstBad = bytes.findIndex((byte) => byte !== 1);
  return Math.floor((firstBad < 0 ? bytes.length : firstBad) / RECORD_BYTES);
}

/** Three machines that do so. */
export function chatter(seed: number): DataCenter<ChatterProgram> {
  return new DataCenter({
    seed,
    nodeCount: 3,
    mood: { lossShare: 0, doubledShare: 0, reorderedShare: 0, slownessMs: 0 },
    sessionMs: 1000,
    boot: (doors) => ChatterProgram.open(doors),
  });
}

/** Everything that happened in some seconds of them, under all faults, as one text. */
export async function digestOfChatter(seed: number): Promise<string> {
  const center = chatter(seed);
  const targets = { rolesOf: () => [], isWhole: () => true, copiesOf: () => '' };
  const injector = new FaultInjector(center, targets, center.random);
  for (const machine of center.machines) machine.start();
  await center.run(300);
  for (const kind of FAULT_KINDS) {
    injector.fire(kind, center.random.pick(center.machines));
    await center.run(200);
  }
  injector.healAll();
  await center.run(1000);
  return center.digest;
}
