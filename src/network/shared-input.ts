import { type OnReadOpts, type Server, Socket, type SocketConstructorOpts } from 'node:net';

const BUFFER_BYTES = 64 * 1024;

/** Node's own fields of an accepted socket, as of Node 20 and 22; `adopt` checks that they are there. */
interface AcceptedSocket {
  _handle: object | null;
  _server: Server | null;
  server?: Server | null;
}

type AdoptingOptions = SocketConstructorOpts & {
  readonly handle: object;
  readonly manualStart: boolean;
  readonly onread: OnReadOpts;
};

/**
 * One buffer into which all connections of a server read.
 *
 * By default Node allocates 64 KiB for each read of each socket, shrinks it to what came and gives it to the collector: a fifth
 * of what a GET costs. `net.connect` can be given a buffer (`onread`); for accepted sockets Node has the same machinery, but no
 * public door to it, so an accepted socket's handle is moved into a socket that was made with one. Should a later Node move
 * these fields, the socket is used as it is, only slower.
 */
export class SharedInput {
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

  /**
   * Returns the socket to use in the place of `accepted`, which must be paused and unread. `received` gets the bytes of a
   * read; they are overwritten by the next read of any connection.
   */
  adopt(accepted: Socket, received: (chunk: Buffer) => void): Socket {
    const inner = accepted as unknown as AcceptedSocket;
    const { _handle: handle, _server: server } = inner;
    if (handle === null || typeof handle !== 'object' || !('useUserBuffer' in handle)) {
      accepted.on('data', received);
      accepted.resume();
      return accepted;
    }
    const options: AdoptingOptions = {
      handle,
      allowHalfOpen: accepted.allowHalfOpen,
      manualStart: true,
      onread: {
        buffer: this.#buffer,
        callback: (count, bytes) => {
          received((bytes as Buffer).subarray(0, count));
          return true;
        },
      },
    };
    const socket = new Socket(options);
    // The server counts its connections by these fields, and closes when the count is zero.
    const adopted = socket as unknown as AcceptedSocket;
    adopted._server = server;
    if (server !== null) adopted.server = server;
    inner._handle = null;
    inner._server = null;
    socket.resume();
    return socket;
  }
}
