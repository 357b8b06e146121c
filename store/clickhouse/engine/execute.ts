import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Received } from './body.ts';
import { EngineError } from './errors.ts';
import type { NativeConnection, Outcome } from './native.ts';
import type { EngineRequest } from './request.ts';
import type { Lease, Sessions } from './sessions.ts';
import { openFifo, type Slot, type Slots } from './slots.ts';

/** A query that has been started. */
export interface Running {
  readonly format: string;
  /** A result of any size, in pieces; undefined when the result is small and in `outcome.bytes`. Must be read to its end. */
  readonly stream: Readable | undefined;
  /** Settles when the query has; rejects with an EngineError. */
  readonly outcome: Promise<Outcome>;
}

const KILL_EVERY_MS = 250;
const SMALL_BYTES = 16 * 1024 * 1024;

const quote = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '\\0')}'`;
const identifier = (name: string): string => `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;

/** Runs requests on chDB: a connection each, settings and parameters set in it, killed by its tag when the client goes. */
export class Executor {
  readonly #sessions: Sessions;
  readonly #slots: Slots;
  readonly #killer: NativeConnection;
  readonly #database: string;
  #asides: Promise<unknown> = Promise.resolve();
  readonly #tags = new Set<string>();

  /** `database` is that of a connection whose request names none. */
  constructor(sessions: Sessions, slots: Slots, killer: NativeConnection, database: string) {
    this.#sessions = sessions;
    this.#slots = slots;
    this.#killer = killer;
    this.#database = database;
  }

  /**
   * Runs a received request and hands what it does to `use`; all that the request held is given back when `use` has
   * ended and the query has settled. A result is killed when `signal` aborts; the insert of a whole body is not:
   * its sender will ask again with the same token, and half an insert helps nobody.
   */
  async run(
    request: EngineRequest,
    received: Received,
    signal: AbortSignal,
    use: (running: Running) => Promise<void>,
  ): Promise<void> {
    let slot: Slot | undefined;
    let lease: Lease | undefined;
    let failed = true; // Until it is known to have gone well.
    try {
      slot = await this.#slots.take(signal);
      lease = await this.#sessions.lease(request.session);
      const tag = `closewatch:${randomBytes(12).toString('hex')}`;
      const database = request.database ?? (lease.fresh ? this.#database : undefined);
      const restore = await prepare(lease, request, database, received, tag);
      // An insert whose body is whole is stored, also when its sender has just gone.
      if (received.statement.kind !== 'insert') signal.throwIfAborted();
      const fifo = received.statement.kind === 'rows' && !isSmall(request) ? slot.fifo : undefined;
      failed = await this.#start(lease.connection, tag, fifo, received, signal, use);
      if (restore) await lease.connection.run(restore);
    } finally {
      await lease?.release(failed);
      slot?.release();
      if (received.dataFile) await rm(received.dataFile, { force: true });
    }
  }

  /** Returns whether the query failed. */
  async #start(
    connection: NativeConnection,
    tag: string,
    path: string | undefined,
    received: Received,
    signal: AbortSignal,
    use: (running: Running) => Promise<void>,
  ): Promise<boolean> {
    const { statement, dataFile } = received;
    const fifo = path === undefined ? undefined : openFifo(path);
    const sql = sqlOf(statement, path ?? dataFile);
    this.#tags.add(tag);
    let settled = false;
    const outcome = connection.run(`/*${tag}*/ ${sql}`, statement.format).finally(() => {
      settled = true;
      this.#tags.delete(tag);
      fifo?.finish();
    });
    const kill = () => this.#killUntil(tag, () => settled);
    if (statement.kind !== 'insert') signal.addEventListener('abort', kill, { once: true });
    const result = outcome.then(
      () => false,
      () => true,
    );
    try {
      await use({ format: statement.format, stream: fifo?.stream, outcome });
    } finally {
      fifo?.stream.resume();
      if (!settled && statement.kind !== 'insert') kill();
      await result;
      signal.removeEventListener('abort', kill);
    }
    return await result;
  }

  /** KILL QUERY again and again, as the query may not have entered the process list yet. */
  async #killUntil(tag: string, done: () => boolean): Promise<void> {
    while (!done()) {
      await this.#kill(tag);
      if (!done()) await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
    }
  }

  /** The tag stands in log_comment, and before the text: each may be missing, by SETTINGS or where parameters rewrite the text. */
  #kill(tag: string): Promise<unknown> {
    const isIt = `startsWith(Settings['log_comment'], ${quote(tag)}) OR startsWith(query, ${quote(`/*${tag}*/`)})`;
    const sql = `KILL QUERY WHERE ${isIt} ASYNC FORMAT Null`;
    return this.aside(sql).catch(() => undefined);
  }

  /** Runs the engine's own SQL on the connection that is always open, one after another. Throws an EngineError. */
  aside(sql: string): Promise<Outcome> {
    const run = this.#asides.then(() => this.#killer.run(sql));
    this.#asides = run.catch(() => undefined);
    return run;
  }

  /** Kills all that runs; for the end of the process. */
  async killAll(): Promise<void> {
    await Promise.all([...this.#tags].map((tag) => this.#kill(tag)));
  }
}

/** Characters of a parameter that is set by a statement of its own. */
const LARGE_PARAM = 10_000;

/** A result that its request has bound, and waits for as a whole, needs no FIFO, which takes a third of a small query's time. */
function isSmall({ waitEnd, session, settings }: EngineRequest): boolean {
  const bytes = Number(settings.get('max_result_bytes') ?? 0);
  const isBound = bytes > 0 && bytes <= SMALL_BYTES && settings.get('result_overflow_mode') === undefined;
  return waitEnd && session === undefined && isBound;
}

function sqlOf(statement: Received['statement'], path: string | undefined): string {
  if (statement.kind === 'command' || (statement.kind === 'rows' && path === undefined)) return statement.sql;
  if (path === undefined) throw new EngineError(49, 'No file for the data.', 'LOGICAL_ERROR');
  return statement.into(path);
}

/**
 * Sets database (a session without a new one keeps its own), settings and parameters. On a named session, whose SET must not outlive its request, returns the SQL
 * that sets back what was changed. `readonly` cannot be taken back, so there it is kept by kind of statement.
 */
async function prepare(
  lease: Lease,
  request: EngineRequest,
  database: string | undefined,
  received: Received,
  tag: string,
): Promise<string | undefined> {
  const settings = new Map(request.settings);
  settings.set('log_comment', `${tag} ${settings.get('log_comment') ?? ''}`.trimEnd());
  if (lease.named && Number(settings.get('readonly') ?? 0) > 0) {
    settings.delete('readonly');
    if (received.statement.kind !== 'rows') {
      throw new EngineError(164, 'Cannot execute query in readonly mode.', 'READONLY');
    }
  }
  const restore =
    lease.named && settings.size > 0 ? await before(lease.connection, [...settings.keys()]) : undefined;
  const readonly = settings.get('readonly');
  settings.delete('readonly');
  const params = [...request.params].map(([name, value]) => `param_${name} = ${quote(value)}`);
  // A statement has its greatest length, and each parameter its own: a large one stands alone.
  const [large, small] = [params.filter(isLarge), params.filter((param) => !isLarge(param))];
  const set = [
    ...small,
    ...[...settings].map(([name, value]) => `${name} = ${quote(value)}`),
    ...(readonly === undefined ? [] : [`readonly = ${quote(readonly)}`]),
  ];
  const statements = [
    ...(database === undefined ? [] : [`USE ${identifier(database)}`]),
    ...large.map((param) => `SET ${param}`),
    ...(set.length > 0 ? [`SET ${set.join(', ')}`] : []),
  ];
  await lease.connection.run(statements.join('; '));
  return restore;
}

const isLarge = (param: string): boolean => param.length > LARGE_PARAM;

async function before(connection: NativeConnection, names: readonly string[]): Promise<string | undefined> {
  const list = names.map(quote).join(', ');
  const sql = `SELECT name, value FROM system.settings WHERE name IN (${list})`;
  const { bytes } = await connection.run(sql, 'JSONCompactEachRow');
  const rows = bytes.toString('utf8').split('\n').filter(Boolean);
  const set = rows.map((row) => {
    const [name, value] = JSON.parse(row) as [string, string];
    return `${name} = ${quote(value)}`;
  });
  return set.length > 0 ? `SET ${set.join(', ')}` : undefined;
}
