import { InDoubtError } from '../client/in-doubt.ts';
import { KeyValueClient } from '../client/key-value-client.ts';
import { SystemClock } from '../env/clock.ts';
import { SystemRandom } from '../env/random.ts';
import { CaskadeError } from '../model/errors.ts';
import type { Reply } from '../resp/reply.ts';
import type { RequestArgument } from '../resp/request-encoder.ts';
import { type Address, formatAddress } from './address.ts';
import type { CliClient } from './cli-client.ts';
import { type CliIo, write } from './cli-io.ts';
import type { AckMode } from './client-config.ts';
import { commandDocs, runGrpcCommand } from './grpc-commands.ts';

/** PROTOCOL L10: said once, and not behind every OK. */
const NOT_PROMISED: Readonly<Record<AckMode, string | null>> = {
  all: null,
  leader: "ack leader: what is answered is on the leader's disk only, and lost if the leader fails too early",
  none: "ack none: what is answered is in the leader's memory only, and lost if the leader fails",
};

const CONNECT_MS_MAX = 5_000;

/** Commands of RESP, as far as there are calls of gRPC for them, and the answers as replies. */
export class GrpcClient implements CliClient {
  readonly address: Address;
  readonly #client: KeyValueClient;
  #isClosed = false;
  onPush: (push: Reply) => void = () => {};
  onClose: () => void = () => {};

  private constructor(address: Address, client: KeyValueClient) {
    this.address = address;
    this.#client = client;
  }

  /** To the first that answers; from there it finds the others. Throws CaskadeError `connectionFailed`. */
  static async connect(addresses: readonly Address[], acks: AckMode, io: CliIo): Promise<GrpcClient> {
    const doors = { clock: new SystemClock(), random: new SystemRandom() };
    const client = new KeyValueClient(addresses.map(formatAddress), doors, { acks });
    try {
      const answered = await client.connect(CONNECT_MS_MAX);
      const notice = NOT_PROMISED[acks];
      if (notice !== null) await write(io.stderr, `caskade: ${notice}\n`);
      const address = addresses.find((candidate) => formatAddress(candidate) === answered);
      return new GrpcClient(address as Address, client);
    } catch (error) {
      client.close();
      throw error;
    }
  }

  get open(): boolean {
    return !this.#isClosed;
  }

  async request(command: readonly RequestArgument[]): Promise<Reply> {
    const words = command.map((word) => Buffer.from(word));
    const [name = ''] = words.map((word) => word.toString().toLowerCase());
    if (name === 'command') return commandDocs();
    try {
      return await runGrpcCommand(this.#client, name, words.slice(1));
    } catch (error) {
      if (this.#isClosed && error instanceof InDoubtError) throw new CaskadeError('inDoubt', error.reason);
      if (!(error instanceof CaskadeError) || error.code === 'connectionFailed') throw error;
      return { kind: 'error', text: textOf(error) };
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#client.close();
    this.onClose();
  }
}

/** MOVED has to name a slot: here it says that whoever was asked last does not lead the key. */
function textOf(error: CaskadeError): string {
  return error.code === 'notLeader' ? `TRYAGAIN ${error.message}` : error.respText;
}
