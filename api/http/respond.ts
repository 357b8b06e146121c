import type { IncomingMessage, ServerResponse } from 'node:http';
import { ClosewatchError } from '../../model/errors.ts';

/** No script but our own files, no frame, nothing from elsewhere, nothing sent elsewhere. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Sets what every answer carries. */
export function setSecurityHeaders(response: ServerResponse): void {
  response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('x-frame-options', 'DENY');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('cross-origin-opener-policy', 'same-origin');
  response.setHeader('cross-origin-resource-policy', 'same-origin');
  response.setHeader('permissions-policy', 'camera=(), microphone=(), geolocation=()');
  response.setHeader('cache-control', 'no-store');
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
}

/** An error in GraphQL's own shape, so that one reader of errors does for all of them. */
export function sendError(response: ServerResponse, error: ClosewatchError): void {
  if (error.status === 401) response.setHeader('www-authenticate', 'Bearer realm="closewatch"');
  if (error.retryable) response.setHeader('retry-after', '1');
  sendJson(response, error.status, {
    errors: [{ message: error.message, extensions: { code: error.code } }],
  });
}

/** The body as text; throws `request.too-large` above `limit` bytes. */
export async function readBody(request: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // A request that is destroyed in the middle takes the answer with it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit)
      throw new ClosewatchError('request.too-large', `a body of ${limit} bytes at most is taken`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
