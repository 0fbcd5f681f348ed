import type { Routes } from '../cluster/load/load-client.ts';
import { type Server, startCaskade } from '../support/processes.ts';
import type { Peer } from './peer.ts';

/** One Caskade node alone, with its defaults. */
export class OneNode implements Peer {
  readonly name = 'Caskade, one node';
  readonly settings = 'one node alone, 1 partition, flush always';
  readonly routes: Routes;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.routes = { endpoints: [{ host: '127.0.0.1', port: server.port }], keyAt: null, laneOf: null };
  }

  static async start(): Promise<OneNode> {
    return new OneNode(await startCaskade());
  }

  cpuSeconds(): number {
    return this.#server.cpuSeconds();
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }
}
