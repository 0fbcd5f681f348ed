import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { Clock } from '../env/clock.ts';
import { formatAddress } from '../model/host-port.ts';
import { LIMITS } from '../model/limits.ts';
import { finishWithin } from './finish-within.ts';
import { rpcListenError } from './listen-error.ts';
import { reflectedPackage } from './reflected-package.ts';
import { SERVER_OPTIONS } from './stream-options.ts';

export interface RpcServerOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
}

/** What the server offers besides health and reflection. */
export interface RpcService {
  /** With its package. */
  readonly name: string;
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  /** The largest message that it takes or gives, where that is above the frames of nodes. */
  readonly messageBytesMax?: number;
  /** Ends the streams that would not end by themselves: the server stops. */
  endStreams(): void;
}

/** Listens for gRPC on one address: for other nodes, and for whoever speaks the services that are named. */
export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #services: readonly RpcService[];
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #health: HealthImplementation;

  constructor(options: RpcServerOptions, services: readonly RpcService[], clock: Clock) {
    // What the library would write to the console is told by the errors that it gives.
    setLogVerbosity(logVerbosity.NONE);
    this.#options = options;
    this.#services = services;
    this.#clock = clock;
    this.#server = new Server(serverOptions(services));
    const names = ['', ...services.map(({ name }) => name)];
    this.#health = new HealthImplementation(Object.fromEntries(names.map((name) => [name, 'NOT_SERVING'])));
    for (const { definition, implementation } of services)
      this.#server.addService(definition, implementation);
    this.#health.addToServer(this.#server);
    new ReflectionService(reflectedPackage()).addToServer(this.#server);
  }

  /** Resolves with the port. Errors: `portTaken`; `usage` for an address that is not of this machine, or may not be used. */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(
        formatAddress({ host, port }),
        ServerCredentials.createInsecure(),
        (error, bound) => {
          if (error === null) resolve(bound);
          else reject(rpcListenError(error, host, port));
        },
      );
    });
  }

  /** What the health service says of each service. */
  setServing(isServing: boolean): void {
    for (const name of ['', ...this.#services.map((service) => service.name)])
      this.#health.setStatus(name, isServing ? 'SERVING' : 'NOT_SERVING');
  }

  /** Accepts nothing new, ends the streams, waits for calls that run until `withinMs` is over, and then cuts them. */
  async stop(withinMs: number): Promise<void> {
    this.setServing(false);
    const ended = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    for (const service of this.#services) service.endStreams();
    await finishWithin(this.#clock, withinMs, [ended]);
    this.#server.forceShutdown();
  }
}

/** gRPC has one bound for all services of a server; frames of nodes are held to their own where they are read. */
function serverOptions(services: readonly RpcService[]): ServerOptions {
  const bytesMax = Math.max(
    LIMITS.frameBytesReceivedMax,
    ...services.map(({ messageBytesMax = 0 }) => messageBytesMax),
  );
  return {
    ...SERVER_OPTIONS,
    'grpc.max_receive_message_length': bytesMax,
    'grpc.max_send_message_length': bytesMax,
  };
}
