import type { IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { ClosewatchError } from '../../model/errors.ts';
import { MalformedRequest } from './wire.ts';

/** The bytes that bodies take while they are read. `take` returns whether there was room for them. */
export interface BodyBudget {
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/**
 * The body of a request, inflated. Stops reading at the first byte too many and throws `request.too-large`, or
 * `request.overloaded` when the budget is used up; the request is left paused then. A gzip body is inflated up to the
 * same limit and no further, however much it holds.
 */
export async function readBody(req: IncomingMessage, limit: number, budget: BodyBudget): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    if (Number(req.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
    await new Promise<void>((resolve, reject) => {
      const stop = (error?: Error): void => {
        req.pause();
        req.removeAllListeners('data');
        if (error) reject(error);
        else resolve();
      };
      req.on('data', (chunk: Buffer) => {
        if (size + chunk.length > limit) return stop(tooLarge(limit));
        if (!budget.take(chunk.length)) return stop(overloaded());
        size += chunk.length;
        chunks.push(chunk);
      });
      req.once('end', () => stop());
      req.once('close', () => stop(new MalformedRequest('truncated', 'the request was broken off')));
      req.once('error', stop);
    });
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
    return encodingOf(req) === 'gzip' ? inflate(body, limit) : body;
  } finally {
    budget.give(size);
  }
}

/** The request's Content-Encoding; throws `request.media-type` for one that is not supported. */
export function encodingOf(req: IncomingMessage): 'gzip' | 'identity' {
  const encoding = (req.headers['content-encoding'] ?? 'identity').trim().toLowerCase() || 'identity';
  if (encoding === 'gzip' || encoding === 'identity') return encoding;
  throw new ClosewatchError('request.media-type', 'Content-Encoding must be gzip or identity');
}

/** Inflates on this thread: the reading that follows is longer, and only one inflated body exists at a time. */
function inflate(body: Buffer, limit: number): Buffer {
  if (body.length === 0) return body;
  try {
    return gunzipSync(body, { maxOutputLength: limit });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    throw new MalformedRequest('truncated', 'the body is not well-formed gzip');
  }
}

const tooLarge = (limit: number): ClosewatchError =>
  new ClosewatchError('request.too-large', `the body may have at most ${limit} bytes, also when inflated`);

export const overloaded = (): ClosewatchError =>
  new ClosewatchError('request.overloaded', 'too much is waiting to be stored; send it again later');
