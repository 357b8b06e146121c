import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export interface HttpServer {
  readonly port: number;
  readonly url: string;
  /** Takes no more connections, waits for the requests under way up to `deadlineMs`, then cuts them. */
  close(deadlineMs?: number): Promise<void>;
}

/**
 * Listens on `host` and `port` (0: any free one). A request that a handler fails on gets a bare 500; the error goes to
 * `onError`. Slow senders are cut: 60 s for the head, 5 min for a request. A handler may answer before it has read the
 * body; it leaves the request as it is then.
 */
export async function listen(
  handler: Handler,
  options: { host: string; port: number; onError: (error: unknown) => void },
): Promise<HttpServer> {
  const server = createServer(
    { headersTimeout: 60_000, requestTimeout: 300_000, keepAliveTimeout: 65_000 },
    (request, response) => {
      // The rest of a body that was refused is read and thrown away. To close the connection would reset it, and the
      // answer could be lost on the way, or the next request that is sent on it.
      response.once('finish', () => request.resume());
      handler(request, response).catch((error: unknown) => {
        options.onError(error);
        if (response.headersSent) response.destroy();
        else response.writeHead(500, { 'content-type': 'text/plain' }).end('internal error\n');
      });
    },
  );
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(options.port, options.host, resolve),
  );
  const { port } = server.address() as AddressInfo;
  const host = options.host === '0.0.0.0' || options.host === '::' ? '127.0.0.1' : options.host;
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: (deadlineMs = 10_000) => close(server, deadlineMs),
  };
}

function close(server: Server, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), deadlineMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
