import { createServer, type Server } from 'node:http';
import { listenError } from './listen-error.ts';

/** What is served: the text of a scrape. */
export interface MetricsSource {
  readonly contentType: string;
  text(): Promise<string>;
}

const REQUEST_MS_MAX = 5_000;

/** `GET /metrics` over HTTP, for Prometheus. */
export class MetricsServer {
  readonly #server: Server;

  constructor(source: MetricsSource) {
    this.#server = createServer({ requestTimeout: REQUEST_MS_MAX }, (request, response) => {
      const path = request.url?.split('?')[0];
      if (request.method !== 'GET' || path !== '/metrics') {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('only GET /metrics is served here\n');
        return;
      }
      source.text().then(
        (text) => response.writeHead(200, { 'content-type': source.contentType }).end(text),
        () =>
          response.writeHead(500, { 'content-type': 'text/plain' }).end('the metrics could not be read\n'),
      );
    });
  }

  /** Resolves with the port once it answers. Errors: `portTaken`, `usage`. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      this.#server.listen({ host, port }, resolve);
    });
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}
