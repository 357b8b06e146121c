import { randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { EngineError } from './errors.ts';
import type { BodyFolders } from './files.ts';
import { checkValues, readStatement, type Statement } from './statement.ts';

/** A request whose body has come in whole: what it asks, and for an insert the private file with its rows. */
export interface Received {
  readonly statement: Exclude<Statement, { kind: 'unfinished' }>;
  readonly dataFile: string | undefined;
}

export interface ReceiveOptions {
  readonly folders: BodyFolders;
  /** How large the rows will be, as far as the request says. */
  readonly expectedBytes: number | undefined;
  readonly maxBodyBytes: number;
  readonly maxQueryBytes: number;
  readonly defaultFormat: string;
  readonly params: ReadonlyMap<string, string>;
}

/** Bytes of a body that are written at a time: a trip to a thread for each piece of the network would cost more. */
const WRITE_BYTES = 1024 * 1024;
const COMPRESSION_GUESS = 10;
const MAX_VALUES_BYTES = 1024 * 1024;
const DECODERS: Record<string, () => NodeJS.ReadWriteStream & Readable> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** The body without its Content-Encoding. Throws code 48 on an encoding that we do not know. */
export function decoded(request: IncomingMessage): Readable {
  const encoding = (request.headers['content-encoding'] ?? '').trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return request;
  const decoder = DECODERS[encoding]?.();
  if (!decoder) {
    throw new EngineError(
      48,
      `Content-Encoding ${encoding.slice(0, 40)} is not supported.`,
      'NOT_IMPLEMENTED',
      415,
    );
  }
  // It may fail before anybody reads from it, who learns of it then; an error without a listener would end the process.
  decoder.on('error', () => {});
  request.once('error', (error) => decoder.destroy(error));
  request.once('close', () => {
    if (!request.complete) decoder.destroy(new Error('the request ended early'));
  });
  return request.pipe(decoder);
}

/** The size of the body from its headers; for a compressed one a guess on the safe side. */
export function expectedBytes(request: IncomingMessage): number | undefined {
  const length = Number(request.headers['content-length']);
  if (!Number.isFinite(length)) return undefined;
  return request.headers['content-encoding'] ? length * COMPRESSION_GUESS : length;
}

/**
 * Reads a request: the query text is `query` and then the body, as one (so ClickHouse does it). The rows of an INSERT
 * go into a new private file and are never part of a SQL text. Throws on a body that ends early, is too large
 * (code 307) or cannot be decompressed.
 */
export async function receive(query: string, body: Readable, options: ReceiveOptions): Promise<Received> {
  const { defaultFormat, maxBodyBytes, maxQueryBytes, params } = options;
  let text = query === '' ? Buffer.alloc(0) : Buffer.from(`${query}\n`);
  let statement = readStatement(text, false, defaultFormat, params);
  let bytes = 0;
  let tryAt = 64 * 1024;
  const held: Buffer[] = [];
  const chunks = counted(body, (size) => {
    bytes += size;
    if (bytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
  });
  while (statement.kind === 'unfinished') {
    const step = await chunks.next();
    if (!step.done) held.push(step.value);
    if (!step.done && text.length + bytes < tryAt) continue;
    text = Buffer.concat([text, ...held.splice(0)]);
    statement = readStatement(text, step.done === true, defaultFormat, params);
    tryAt *= 4;
    if (statement.kind === 'unfinished' && text.length > maxQueryBytes) {
      throw new EngineError(
        62,
        `Syntax error: Max query size exceeded (${maxQueryBytes} bytes).`,
        'SYNTAX_ERROR',
      );
    }
  }
  if (statement.kind !== 'insert') {
    if (!(await chunks.next()).done)
      throw new EngineError(62, 'Syntax error: bytes behind the query.', 'SYNTAX_ERROR');
    return { statement, dataFile: undefined };
  }
  let rest: AsyncIterable<Buffer> = chunks;
  let first: Buffer = text.subarray(statement.dataAt);
  if (statement.format === 'Values') {
    first = await checkedValues(first, chunks, params);
    rest = nothing();
  }
  const path = join(options.folders.choose(options.expectedBytes), `body-${randomBytes(16).toString('hex')}`);
  try {
    await spool(path, first, rest);
  } catch (error) {
    await rm(path, { force: true });
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new EngineError(243, 'No space for the request body.', 'NOT_ENOUGH_SPACE');
    }
    throw error;
  }
  return { statement, dataFile: path };
}

/** VALUES may be expressions, so they are read before they are stored, and are not many. */
async function checkedValues(
  first: Buffer,
  rest: AsyncIterable<Buffer>,
  params: ReceiveOptions['params'],
): Promise<Buffer> {
  const parts = [first];
  let bytes = first.length;
  for await (const chunk of rest) {
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_VALUES_BYTES) {
      throw new EngineError(
        307,
        `VALUES are larger than ${MAX_VALUES_BYTES} bytes; use a format without expressions, such as JSONEachRow.`,
        'TOO_MANY_BYTES',
      );
    }
  }
  const all = Buffer.concat(parts);
  checkValues(all, params);
  return all;
}

async function* nothing(): AsyncGenerator<Buffer> {}

async function* counted(body: Readable, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of body as AsyncIterable<Buffer>) {
    count(chunk.length);
    yield chunk;
  }
}

async function spool(path: string, first: Buffer, rest: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    let held: Buffer[] = [];
    let bytes = 0;
    const write = async (chunk: Buffer): Promise<void> => {
      held.push(chunk);
      bytes += chunk.length;
      if (bytes >= WRITE_BYTES) await flush();
    };
    const flush = async (): Promise<void> => {
      const all = Buffer.concat(held);
      held = [];
      bytes = 0;
      await file.writeFile(all);
    };
    await write(first);
    for await (const chunk of rest) await write(chunk);
    if (bytes > 0) await flush();
  } finally {
    await file.close();
  }
}

const tooLarge = (limit: number): EngineError =>
  new EngineError(307, `The request body is larger than ${limit} bytes.`, 'TOO_MANY_BYTES');
