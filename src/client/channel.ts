import {
  type ChannelOptions,
  Client,
  type ClientUnaryCall,
  connectivityState,
  credentials,
  type MethodDefinition,
} from '@grpc/grpc-js';
import { CaskadeError } from '../model/errors.ts';

const OPTIONS: ChannelOptions = {
  // Whether something is sent again is decided by who knows what it means.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
  // The server has the bound.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};

/** The connection to one server. One that has failed stays so: a new one takes its place. */
export class Channel {
  readonly address: string;
  /** Calls that are on their way to it or at it: it is not closed under them without need. */
  userCount = 0;
  readonly #client: Client;
  readonly #calls = new Set<ClientUnaryCall>();

  constructor(address: string) {
    this.address = address;
    this.#client = new Client(address, credentials.createInsecure(), OPTIONS);
  }

  /** `deadlineMs`: by the wall clock. Rejects with `connectionFailed`: nothing can have been sent. */
  connect(deadlineMs: number): Promise<void> {
    const channel = this.#client.getChannel();
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void =>
        reject(
          new CaskadeError('connectionFailed', `could not connect to Caskade at ${this.address}: ${reason}`),
        );
      const look = (): void => {
        const state = channel.getConnectivityState(true);
        if (state === connectivityState.READY) resolve();
        else if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN)
          fail('connection refused, or no gRPC server is there');
        else
          channel.watchConnectivityState(state, deadlineMs, (error) => {
            if (error === undefined) look();
            else fail('no answer in time');
          });
      };
      look();
    });
  }

  /** Rejects with a `ServiceError` of gRPC. */
  call<Response>(
    method: MethodDefinition<Buffer, Response>,
    request: Buffer,
    deadlineMs: number,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method;
      const options = { deadline: deadlineMs };
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        options,
        (error, response) => {
          this.#calls.delete(call);
          if (error !== null) reject(error);
          else resolve(response as Response);
        },
      );
      this.#calls.add(call);
    });
  }

  /** Calls that are under way end as cancelled. */
  close(): void {
    for (const call of this.#calls) call.cancel();
    this.#client.close();
  }
}
