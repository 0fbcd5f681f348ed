import type { Reply } from '../resp/reply.ts';
import type { RequestArgument } from '../resp/request-encoder.ts';
import type { Address } from './address.ts';
import type { CliIo } from './cli-io.ts';
import type { CliOptions } from './cli-options.ts';
import { RespClient } from './resp-client.ts';

/** A connection as the modes of the client see it, whatever protocol it speaks. */
export interface CliClient {
  readonly address: Address;
  readonly open: boolean;
  onPush: (push: Reply) => void;
  onClose: () => void;
  /**
   * An error that the server answers is a reply; what rejects is CaskadeError `connectionFailed`, when nothing was sent,
   * or `inDoubt`, when the connection ended before the reply came.
   */
  request(command: readonly RequestArgument[]): Promise<Reply>;
  close(): void;
}

/** Throws CaskadeError `connectionFailed`. */
export async function connectClient(options: CliOptions, io: CliIo): Promise<CliClient> {
  const { server, grpc } = options;
  if (grpc === null) return RespClient.connect(await server.find(), { version: options.resp3 ? 3 : 2 });
  // Loaded where it is needed: most calls of the client run one command and end.
  const { GrpcClient } = await import('./grpc-client.ts');
  return GrpcClient.connect(await server.findRpc(), grpc.acks, io);
}
