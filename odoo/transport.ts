import { OdooError } from './errors.ts';
import type { Reply } from './reply.ts';

export interface TransportSettings {
  /** Where Odoo is: scheme, host and port, and the path before `/jsonrpc` if there is one. */
  readonly url: string;
  /** How long a call may take as a whole. */
  readonly timeoutMs: number;
  /** Largest answer, bytes after decompression. */
  readonly maxBytes: number;
}

export interface OdooRequest {
  readonly method: 'GET' | 'POST';
  /** Absolute, with its leading slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends one request and reads its whole answer, whatever its status. Throws an OdooError; `where` stands in its message. */
export type Transport = (where: string, request: OdooRequest, signal?: AbortSignal) => Promise<Reply>;

/** The default of undici: names, refusals, resets, certificates. */
const NETWORK =
  'the server cannot be reached; is the address right, and does a firewall or certificate stand between?';

/**
 * Requests over HTTP(S). Redirects are not followed: they lead to a login page, or to where a key must not be sent. Throws
 * 'config.invalid' when the address is none.
 */
export function createTransport({ url, timeoutMs, maxBytes }: TransportSettings): Transport {
  const base = url.replace(/\/+$/, '');
  return async (where, { method, path, headers, body }, signal) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const limit = signal ? AbortSignal.any([signal, timeout]) : timeout;
    try {
      const response = await fetch(`${base}${path}`, {
        method,
        headers: { accept: 'application/json', ...(body === undefined ? {} : JSON_TYPE), ...headers },
        redirect: 'manual',
        signal: limit,
        ...(body === undefined ? {} : { body }),
      });
      return {
        status: response.status,
        headers: new Map(response.headers),
        body: await textOf(where, response, maxBytes),
      };
    } catch (error) {
      if (error instanceof OdooError) throw error;
      signal?.throwIfAborted();
      if (timeout.aborted) throw new OdooError('odoo.timeout', `${where}: no answer within ${timeoutMs} ms`);
      throw new OdooError('odoo.unreachable', `${where}: ${NETWORK}${reasonOf(error)}`);
    }
  };
}
const JSON_TYPE = { 'content-type': 'application/json' };

async function textOf(where: string, response: Response, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > maxBytes)
      throw new OdooError('odoo.too-large', `${where}: the answer is larger than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** The code of the failure, `ECONNREFUSED`: messages name addresses, and nothing else that helps. */
function reasonOf(error: unknown): string {
  const { code } = ((error as { cause?: unknown } | null)?.cause ?? {}) as { code?: unknown };
  return typeof code === 'string' ? ` (${code})` : '';
}
