import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { constants, createGzip, type Gzip, gzipSync } from 'node:zlib';
import { type EngineError, engineError, errorText, httpStatus, midStreamException } from './errors.ts';
import type { Running } from './execute.ts';
import type { Outcome } from './native.ts';
import type { EngineRequest } from './request.ts';

/** A result up to this size is answered in one piece, with the status and the summary of the whole query. */
const HOLD_BYTES = 256 * 1024;
/** The same when `wait_end_of_query=1` asks for it. */
const HOLD_ALL_BYTES = 64 * 1024 * 1024;
/** How long a client may take nothing of its result. */
const STALLED_MS = 120_000;
const FLUSH_PAUSE_MS = 30;
const GZIP = { level: 3 };

const summary = (outcome: Outcome | undefined, wrote: boolean): string => {
  const [rows, bytes] = [String(outcome?.rows ?? 0), String(outcome?.bytesRead ?? 0)];
  return JSON.stringify({
    read_rows: rows,
    read_bytes: bytes,
    written_rows: wrote ? rows : '0',
    written_bytes: wrote ? bytes : '0',
    total_rows_to_read: '0',
    result_rows: wrote ? rows : '0',
    result_bytes: wrote ? bytes : '0',
    elapsed_ns: String(Math.round((outcome?.seconds ?? 0) * 1e9)),
  });
};

/** One answer: an error with its code, a result in one piece, or a stream that may still end in an exception. */
export class Answer {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #version: string;
  readonly #tag = randomBytes(8).toString('hex');

  constructor(request: IncomingMessage, response: ServerResponse, version: string, queryId: string) {
    this.#request = request;
    this.#response = response;
    this.#version = version;
    response.setHeader('X-ClickHouse-Query-Id', queryId);
    response.setHeader('X-ClickHouse-Server-Display-Name', 'closewatch');
    response.setHeader('X-ClickHouse-Timezone', 'UTC');
    response.setHeader('X-ClickHouse-Exception-Tag', this.#tag);
  }

  /** The error, when no byte of a result has gone out; a body that was not read to its end costs the connection. */
  fail(error: EngineError): void {
    const response = this.#response;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (!this.#request.complete) response.setHeader('Connection', 'close');
    for (const name of ['X-ClickHouse-Format', 'Content-Encoding']) response.removeHeader(name);
    response.setHeader('X-ClickHouse-Exception-Code', String(error.code));
    response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
    response.writeHead(httpStatus(error));
    response.end(errorText(error, this.#version));
  }

  /** Sends what `running` gives. Reads its stream to the end, also when nobody listens any more. */
  async send(running: Running, request: EngineRequest, wrote: boolean): Promise<void> {
    const held: Buffer[] = [];
    let heldBytes = 0;
    let out: Sink | undefined;
    const hold = request.waitEnd ? HOLD_ALL_BYTES : HOLD_BYTES;
    this.#response.setHeader('X-ClickHouse-Format', running.format);
    this.#response.setHeader('Content-Type', contentType(running.format));
    for await (const chunk of (running.stream ?? []) as AsyncIterable<Buffer>) {
      if (this.#response.destroyed) continue;
      if (!out) {
        held.push(chunk);
        heldBytes += chunk.length;
        if (heldBytes <= hold) continue;
        this.#response.setHeader('X-ClickHouse-Summary', summary(undefined, false));
        out = new Sink(this.#response, this.#encoding(request));
        for (const piece of held.splice(0)) await out.write(piece);
      } else await out.write(chunk);
    }
    const settled = await running.outcome.then(
      (outcome) => ({ outcome }),
      (thrown: unknown) => ({ error: engineError(thrown) }),
    );
    if ('error' in settled) {
      if (!out) this.fail(settled.error);
      else {
        await out.flush();
        await out.end(midStreamException(errorText(settled.error, this.#version), this.#tag));
      }
      return;
    }
    if (out) await out.end();
    else this.#whole(Buffer.concat([...held, settled.outcome.bytes]), settled.outcome, request, wrote);
  }

  #whole(body: Buffer, outcome: Outcome, request: EngineRequest, wrote: boolean): void {
    const response = this.#response;
    if (response.destroyed) return;
    let bytes = body;
    if (body.length > 1024 && this.#encoding(request) !== undefined) {
      bytes = gzipSync(body, GZIP);
      response.setHeader('Content-Encoding', 'gzip');
    }
    response.setHeader('X-ClickHouse-Summary', summary(outcome, wrote));
    response.setHeader('Content-Length', bytes.length);
    response.writeHead(200);
    response.end(this.#request.method === 'HEAD' ? undefined : bytes);
  }

  #encoding(request: EngineRequest): 'gzip' | undefined {
    if (!request.compressResult) return undefined;
    return /\bgzip\b/i.test(String(this.#request.headers['accept-encoding'] ?? '')) ? 'gzip' : undefined;
  }
}

/** The response body as a stream, compressed or not, with back-pressure and an end for clients that stall. */
class Sink {
  readonly #response: ServerResponse;
  readonly #target: Gzip | ServerResponse;

  constructor(response: ServerResponse, encoding: 'gzip' | undefined) {
    this.#response = response;
    if (encoding) response.setHeader('Content-Encoding', encoding);
    response.writeHead(200);
    if (!encoding) {
      this.#target = response;
      return;
    }
    const gzip = createGzip(GZIP);
    gzip.pipe(response);
    response.once('close', () => gzip.destroy());
    gzip.on('error', () => response.destroy());
    this.#target = gzip;
  }

  async write(chunk: Buffer): Promise<void> {
    if (this.#response.destroyed || this.#target.write(chunk)) return;
    await this.#progress('drain');
  }

  /** Lets the client take what was written before the next bytes come: it looks for an exception in one piece. */
  async flush(): Promise<void> {
    const target = this.#target;
    if (!('flush' in target)) return;
    await new Promise<void>((resolve) => {
      this.#response.once('close', resolve);
      target.flush(constants.Z_SYNC_FLUSH, resolve);
    });
    await sleep(FLUSH_PAUSE_MS);
  }

  async end(last?: Buffer): Promise<void> {
    if (this.#response.destroyed) return;
    if (last) this.#target.write(last);
    this.#target.end();
    if (!this.#response.writableFinished) await this.#progress('finish', this.#response);
  }

  async #progress(event: 'drain' | 'finish', emitter: Gzip | ServerResponse = this.#target): Promise<void> {
    const stalled = new AbortController();
    const timer = setTimeout(() => this.#response.destroy(), STALLED_MS);
    const options = { signal: stalled.signal };
    const quietly = (wait: Promise<unknown>) => wait.catch(() => undefined);
    await Promise.race([
      quietly(once(emitter, event, options)),
      quietly(once(this.#response, 'close', options)),
    ]);
    clearTimeout(timer);
    stalled.abort();
  }
}

const contentType = (format: string): string => {
  if (/^JSON(EachRow|.*EachRow.*|.*Lines)$/i.test(format)) return 'application/x-ndjson; charset=UTF-8';
  if (/^JSON/i.test(format)) return 'application/json; charset=UTF-8';
  if (/^CSV/i.test(format)) return 'text/csv; charset=UTF-8; header=absent';
  if (/^(TSV|TabSeparated)/i.test(format)) return 'text/tab-separated-values; charset=UTF-8';
  if (/^(RowBinary|Native|Parquet|Arrow|ORC|Avro|MsgPack|Npy|BSON|Protobuf)/i.test(format)) {
    return 'application/octet-stream';
  }
  return 'text/plain; charset=UTF-8';
};
