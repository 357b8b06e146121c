import type { IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { ClosewatchError } from '../model/errors.ts';

/** The bytes that the bodies of all requests of a receiver take, each from its first byte until it is answered. */
export class BodyBudget {
  readonly most: number;
  readonly #others: () => number;
  bytes = 0;

  /** Room for `most` bytes, of which `others` says how many something else takes. */
  constructor(most: number, others: () => number = () => 0) {
    this.most = most;
    this.#others = others;
  }

  /** Returns whether there was room for so many bytes more. */
  take(bytes: number): boolean {
    if (this.bytes + bytes + this.#others() > this.most) return false;
    this.bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.bytes -= bytes;
  }
}

/** What one request holds of the budget. Whoever answers it calls `release`, whatever became of it. */
export class BodyHold {
  readonly #budget: BodyBudget;
  #bytes = 0;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /** Throws `request.overloaded` when there is no room. */
  take(bytes: number): void {
    if (!this.#budget.take(bytes)) throw overloaded();
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#budget.give(bytes);
    this.#bytes -= bytes;
  }

  /** Throws `request.overloaded` when more than so much of the budget (0 to 1) is taken, and not by this request alone. */
  yieldAbove(share: number): void {
    if (this.#budget.bytes > this.#bytes && this.#budget.bytes > this.#budget.most * share)
      throw overloaded();
  }

  release(): void {
    this.give(this.#bytes);
  }
}

/** The sender went away before its body was there: nobody waits for an answer. */
export class BrokenOff extends ClosewatchError {
  constructor() {
    super('request.malformed', 'the request was broken off');
  }
}

/**
 * The body of a request, inflated, its bytes taken into `hold`. Throws `request.too-large` at the first byte beyond
 * `limit`, as sent or inflated, `request.overloaded` when the budget is used up, `request.media-type` for an encoding
 * other than gzip, `request.malformed` for broken gzip and, as `BrokenOff`, for a body that breaks off. What was not
 * read is left in the request, which is paused then.
 */
export async function readBody(request: IncomingMessage, limit: number, hold: BodyHold): Promise<Buffer> {
  const { bytes, gzip } = await readSent(request, limit, hold);
  const sent = Buffer.from(bytes.buffer);
  if (!gzip || sent.length === 0) return sent;
  const body = inflate(sent, limit);
  hold.take(body.length);
  hold.give(sent.length);
  return body;
}

/** As `readBody`, but as it was sent, in memory of its own; `gzip` says whether it is compressed. */
export async function readSent(
  request: IncomingMessage,
  limit: number,
  hold: BodyHold,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly gzip: boolean }> {
  // One that broke off earlier has had its `close`, and never has another event.
  if (request.destroyed) throw new BrokenOff();
  const gzip = encodingOf(request) === 'gzip';
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  hold.take(0);
  return { bytes: await bytesOf(request, limit, hold), gzip };
}

function encodingOf(request: IncomingMessage): 'gzip' | 'identity' {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() || 'identity';
  if (encoding === 'gzip' || encoding === 'identity') return encoding;
  throw new ClosewatchError('request.media-type', 'Content-Encoding must be gzip or identity');
}

function bytesOf(request: IncomingMessage, limit: number, hold: BodyHold): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer): void => {
      try {
        size += chunk.length;
        if (size > limit) throw tooLarge(limit);
        hold.take(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        request.off('data', take).pause();
        reject(error);
      }
    };
    const breakOff = (): void => reject(new BrokenOff());
    request.on('data', take);
    request.once('end', () => {
      request.off('close', breakOff);
      resolve(joined(chunks, size));
    });
    request.once('error', breakOff);
    request.once('close', breakOff);
  });
}

function joined(chunks: readonly Buffer[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/**
 * The body, inflated, at most `limit` bytes. On the thread that calls: what follows takes longer, and so only one inflated
 * body at a time is not yet in the budget. Throws `request.too-large` and `request.malformed`.
 */
export function inflate(body: Buffer, limit: number): Buffer {
  try {
    return gunzipSync(body, { maxOutputLength: limit });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    throw new ClosewatchError('request.malformed', 'the body is not well-formed gzip', { cause: error });
  }
}

const overloaded = (): ClosewatchError =>
  new ClosewatchError('request.overloaded', 'too much is waiting to be stored; send it again later');

const tooLarge = (limit: number): ClosewatchError =>
  new ClosewatchError('request.too-large', `the body may have at most ${limit} bytes, also when inflated`);
