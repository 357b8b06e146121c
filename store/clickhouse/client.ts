import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  type ClickHouseClient,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
  type ResultSet,
} from '@clickhouse/client';
import { type Attributes, SpanKind } from '@opentelemetry/api';
import { ClosewatchError } from '../../model/errors.ts';
import { failSpan, openSpan, withSpan } from '../tracing.ts';
import { Lookups } from './lookup.ts';
import type { NamedQuery } from './query.ts';
import { clickHouseError, withRetries } from './retry.ts';

export interface ClickHouseConfig {
  /** `http://host:8123`: the embedded engine's or a server's. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly database: string;
}

export interface ClickHouseDeps {
  readonly logger?: { warn(fields: object, message: string): void };
}

export interface InsertOptions {
  /** De-duplication token: the same one never stores its rows twice, in the table or in what its views feed. */
  readonly token: string;
}

/** All that the house asks of ClickHouse, embedded or a server. Errors are ClosewatchErrors `engine.*`. */
export interface ClickHouse {
  readonly database: string;
  /** All rows of a query, checked by its schema. For results that fit in memory. */
  query<P, R>(query: NamedQuery<P, R>, params: P, options?: QueryOptions): Promise<R[]>;
  /** The rows one after another, in bounded memory. Fails in the middle when the query does. */
  stream<P, R>(query: NamedQuery<P, R>, params: P, options?: QueryOptions): AsyncIterable<R>;
  /**
   * The rows as arrays of their columns, in batches as they come, in bounded memory: for many small rows, a third of the
   * cost of `stream`. The first row of each batch is checked by the schema. Fails in the middle when the query does.
   */
  tuples<P, R extends readonly unknown[]>(
    query: NamedQuery<P, R>,
    params: P,
    options?: QueryOptions,
  ): AsyncIterable<readonly R[]>;
  /** One column of UInt32 numbers, many at a time, in bounded memory. An answer that breaks off may end without an error: count what comes. */
  numbers<P>(query: NamedQuery<P, number>, params: P): AsyncIterable<Uint32Array>;
  /** Runs a statement of a migration, which must bear being run twice. */
  command(sql: string, options?: QueryOptions): Promise<void>;
  /** Makes the database when there is none (Atomic). */
  createDatabase(): Promise<void>;
  /** Stores Native blocks. Tried again on a passing failure when `body` is bytes; a stream can be sent once only. */
  insertNative(
    table: string,
    columns: readonly string[],
    body: Uint8Array | Readable,
    options: InsertOptions,
  ): Promise<void>;
  /**
   * Stores what a file of Parquet holds, or with `ParquetMetadata` what its footer says of it. For tables that are made for
   * one import: it is sent once, and nothing tells it from the same sent again.
   */
  insertParquet(
    table: string,
    columns: readonly string[],
    format: 'Parquet' | 'ParquetMetadata',
    body: Readable,
  ): Promise<void>;
  /** Stores a few rows as JSON: names are columns, Decimals, 64-bit integers and instants are text. */
  insertRows(table: string, rows: readonly object[], options: InsertOptions): Promise<void>;
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

export interface QueryOptions {
  readonly signal?: AbortSignal;
}

const REQUEST_TIMEOUT_MS = 330_000;
/** Numbers that JSON cannot hold come as text; instants as ISO in, plain text out. */
const READ_SETTINGS = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_decimals: 1,
  date_time_output_format: 'simple',
} as const;

const insertSettings = (token: string) =>
  ({
    insert_deduplicate: 1,
    insert_deduplication_token: token,
    deduplicate_blocks_in_dependent_materialized_views: 1,
    async_insert: 0,
    date_time_input_format: 'best_effort',
  }) as const;

/** A name that a file gives a column as a SQL identifier; undefined for one that cannot be quoted safely. */
export const quotedName = (name: string): string | undefined =>
  /^[^`\\\p{C}]{1,200}$/u.test(name) ? `\`${name}\`` : undefined;

/** `name` as a SQL identifier; takes letters, digits, `_` and dots only. */
export function identifier(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_.]*$/.test(name)) {
    throw new ClosewatchError('engine.failed', `'${name}' is not a name of a table or column`);
  }
  return `\`${name}\``;
}

/** A client of the server or engine at `config.url`. Opens no connection yet. */
export function connectClickHouse(config: ClickHouseConfig, deps: ClickHouseDeps = {}): ClickHouse {
  const open = (database: string) =>
    createClient({
      url: config.url,
      ...(config.username === undefined ? {} : { username: config.username }),
      ...(config.password === undefined ? {} : { password: config.password }),
      database,
      application: 'closewatch',
      request_timeout: REQUEST_TIMEOUT_MS,
      max_open_connections: 64,
      compression: { request: false, response: false },
      // Long lists of ids go in a form, not in a URL that a proxy would refuse.
      use_multipart_params_auto: true,
      log: { level: ClickHouseLogLevel.OFF },
    });
  return new HttpClickHouse(config, open, deps);
}

class HttpClickHouse implements ClickHouse {
  readonly database: string;
  readonly #client: ClickHouseClient;
  readonly #lookups: Lookups;
  readonly #open: (database: string) => ClickHouseClient;
  readonly #deps: ClickHouseDeps;

  constructor(config: ClickHouseConfig, open: (database: string) => ClickHouseClient, deps: ClickHouseDeps) {
    this.database = config.database;
    this.#open = open;
    this.#client = open(config.database);
    this.#lookups = new Lookups(config);
    this.#deps = deps;
  }

  async query<P, R>(query: NamedQuery<P, R>, params: P, options: QueryOptions = {}): Promise<R[]> {
    return await this.#retrying(query.name, options.signal, async () => {
      const request = this.#request(query, params, options);
      const found = query.isLookup ? await this.#lookups.rows(request) : undefined;
      const rows = found ?? (await (await this.#client.query(request)).json<unknown>());
      return rows.map((row) => checked(query, row));
    });
  }

  async *stream<P, R>(query: NamedQuery<P, R>, params: P, options: QueryOptions = {}): AsyncGenerator<R> {
    const span = openSpan(query.name, this.#attributes(query.name), SpanKind.CLIENT);
    let result: ResultSet<'JSONEachRow'> | undefined;
    try {
      result = await this.#attempts(query.name, options.signal, () =>
        this.#client.query(this.#request(query, params, options)),
      );
      for await (const batch of result.stream<unknown>()) {
        for (const row of batch) yield checked(query, row.json());
      }
    } catch (thrown) {
      const error = clickHouseError(thrown, query.name);
      failSpan(span, error);
      throw error;
    } finally {
      result?.close();
      span.end();
    }
  }

  async *tuples<P, R extends readonly unknown[]>(
    query: NamedQuery<P, R>,
    params: P,
    options: QueryOptions = {},
  ): AsyncGenerator<readonly R[]> {
    const request = { ...this.#request(query, params, options), format: 'JSONCompactEachRow' } as const;
    const result = await this.#retrying(query.name, options.signal, () => this.#client.query(request));
    try {
      for await (const batch of result.stream<unknown>()) {
        if (batch.length === 0) continue;
        const rows = JSON.parse(`[${batch.map((row) => row.text).join()}]`) as R[];
        checked(query, rows[0]);
        yield rows;
      }
    } catch (error) {
      throw clickHouseError(error, query.name);
    } finally {
      result.close();
    }
  }

  async *numbers<P>(query: NamedQuery<P, number>, params: P): AsyncGenerator<Uint32Array> {
    const { format: _, query: sql, ...request } = this.#request(query, params, {});
    const answer = await this.#retrying(query.name, undefined, () =>
      this.#client.exec({ ...request, query: `${sql} FORMAT RowBinary` }),
    );
    try {
      let rest = Buffer.alloc(0);
      for await (const chunk of answer.stream as AsyncIterable<Buffer>) {
        const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
        const whole = bytes.length - (bytes.length % 4);
        yield new Uint32Array(Uint8Array.from(bytes.subarray(0, whole)).buffer);
        rest = Buffer.from(bytes.subarray(whole));
      }
    } catch (error) {
      throw clickHouseError(error, query.name);
    } finally {
      answer.stream.destroy();
    }
  }

  async command(sql: string, options: QueryOptions = {}): Promise<void> {
    await this.#retrying('command', options.signal, () =>
      this.#client.command({ query: sql, ...signalOf(options) }),
    );
  }

  async createDatabase(): Promise<void> {
    const client = this.#open('default');
    try {
      await this.#retrying('create-database', undefined, () =>
        client.command({
          query: `CREATE DATABASE IF NOT EXISTS ${identifier(this.database)} ENGINE = Atomic`,
        }),
      );
    } finally {
      await client.close();
    }
  }

  async insertNative(
    table: string,
    columns: readonly string[],
    body: Uint8Array | Readable,
    options: InsertOptions,
  ): Promise<void> {
    const query = `INSERT INTO ${identifier(table)} (${columns.map(identifier).join(', ')}) FORMAT Native`;
    const name = `insert.${table}`;
    const settings = { ...insertSettings(options.token), log_comment: name };
    if (body instanceof Readable) await this.#insertOnce(name, query, body, settings);
    else {
      await this.#retrying(name, undefined, () =>
        this.#send(query, Readable.from([body], { objectMode: false }), settings),
      );
    }
  }

  async insertParquet(
    table: string,
    columns: readonly string[],
    format: 'Parquet' | 'ParquetMetadata',
    body: Readable,
  ): Promise<void> {
    const names = columns.map((column) => {
      const quoted = quotedName(column);
      if (quoted === undefined)
        throw new ClosewatchError('engine.failed', `${JSON.stringify(column)} cannot be a column's name`);
      return quoted;
    });
    const query = `INSERT INTO ${identifier(table)} (${names.join(', ')}) FORMAT ${format}`;
    const settings = { input_format_parquet_preserve_order: 1, log_comment: 'insert.parquet' } as const;
    await this.#insertOnce('insert.parquet', query, body, settings);
  }

  /** An insert whose body can be sent once only. */
  #insertOnce(name: string, query: string, body: Readable, settings: ClickHouseSettings): Promise<void> {
    return this.#traced(name, async () => {
      try {
        await this.#send(query, body, settings);
      } catch (error) {
        throw clickHouseError(error, name);
      }
    });
  }

  async #send(query: string, values: Readable, settings: ClickHouseSettings): Promise<void> {
    const answer = await this.#client.exec({
      query,
      values,
      query_id: `insert-${randomUUID()}`,
      clickhouse_settings: settings,
    });
    for await (const _ of answer.stream) {
      // An insert answers nothing; its end is what we wait for.
    }
  }

  async insertRows(table: string, rows: readonly object[], options: InsertOptions): Promise<void> {
    if (rows.length === 0) return;
    identifier(table);
    await this.#retrying(`insert.${table}`, undefined, () =>
      this.#client.insert({
        table,
        values: [...rows],
        format: 'JSONEachRow',
        query_id: `insert-${randomUUID()}`,
        clickhouse_settings: { ...insertSettings(options.token), log_comment: `insert.${table}` },
      }),
    );
  }

  async ping(): Promise<boolean> {
    const { success } = await this.#client.ping({ select: true });
    return success;
  }

  async close(): Promise<void> {
    this.#lookups.close();
    await this.#client.close();
  }

  #request<P, R>(query: NamedQuery<P, R>, params: P, options: QueryOptions) {
    const parsed = query.params.safeParse(params);
    if (!parsed.success) {
      throw new ClosewatchError('engine.failed', `${query.name}: its parameters do not fit`, {
        cause: parsed.error,
      });
    }
    return {
      query: query.sql,
      format: 'JSONEachRow',
      query_params: (parsed.data ?? {}) as Record<string, unknown>,
      query_id: `${query.name}-${randomUUID()}`,
      clickhouse_settings: { ...READ_SETTINGS, log_comment: query.name },
      ...signalOf(options),
    } as const;
  }

  #retrying<T>(name: string, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    return this.#traced(name, () => this.#attempts(name, signal, attempt));
  }

  /** One span for all attempts, under the query's own name: never its SQL, never a parameter. */
  #traced<T>(name: string, work: () => Promise<T>): Promise<T> {
    return withSpan(name, this.#attributes(name), work, SpanKind.CLIENT);
  }

  #attributes(name: string): Attributes {
    return { 'db.system.name': 'clickhouse', 'db.namespace': this.database, 'db.operation.name': name };
  }

  #attempts<T>(name: string, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    return withRetries(attempt, { name, signal, logger: this.#deps.logger });
  }
}

const signalOf = (options: QueryOptions) =>
  options.signal === undefined ? {} : { abort_signal: options.signal };

function checked<P, R>(query: NamedQuery<P, R>, row: unknown): R {
  const parsed = query.row.safeParse(row);
  if (parsed.success) return parsed.data;
  throw new ClosewatchError('engine.failed', `${query.name}: a row does not fit its schema`, {
    cause: parsed.error,
  });
}
