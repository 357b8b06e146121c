import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { ClosewatchError } from '../../model/errors.ts';
import { lockDirectory } from '../lock.ts';
import type { Logger } from '../logger.ts';
import type { Migration } from '../migrations.ts';
import { migrate } from './migrate.ts';
import { SharedSession } from './pglite/session.ts';
import { vacuumRegularly } from './pglite/vacuum.ts';
import type { Database } from './schema.ts';
import { endTurns } from './turns.ts';
import { typeParsers } from './types.ts';

/** Embedded (PGlite under `<dataDir>/postgres`) or a server; the limits are those of both. */
export type PostgresConfig = ({ readonly dataDir: string } | { readonly url: string }) & {
  /** Milliseconds that one statement may take; 120,000 when left out. */
  readonly statementTimeoutMs?: number;
  /** Milliseconds that a transaction may do nothing; 60,000 when left out. */
  readonly idleInTransactionMs?: number;
  /** Connections at most; each queue worker keeps one for LISTEN. 30 when left out. */
  readonly poolSize?: number;
  /** Milliseconds to wait for another process to give the embedded database free; 10,000 when left out. */
  readonly lockWaitMs?: number;
};

/** The open database. No HTTP, ClickHouse or model call belongs inside a transaction: embedded, it holds up everybody. */
export interface Postgres {
  readonly db: Kysely<Database>;
  /** The one pool, a real `pg.Pool` on both back ends; BullMQ uses it too. */
  readonly pool: pg.Pool;
  readonly backend: 'pglite' | 'server';
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  /** Waits up to 10 s for the clients that are in use, then closes. */
  close(): Promise<void>;
}

const SEARCH_PATH = 'closewatch, bullmq';
const CLOSE_WITHIN_MS = 10_000;

/**
 * Opens the database and brings its schema up to this program's version (`deps.migrations`, when given). Rows come out the
 * same on both back ends (types.ts) and errors keep PostgreSQL's SQLSTATE as `code`. Throws `schema.newer` for a database of
 * a newer program, `schema.edited` for one of another, `data-dir.locked` when another process has the embedded one open,
 * `store.unavailable` when there is none to be reached.
 */
export async function openPostgres(
  config: PostgresConfig,
  deps: { logger: Logger; migrations?: readonly Migration[] },
): Promise<Postgres> {
  const opened = 'url' in config ? openServer(config) : await openEmbedded(config, deps.logger);
  const { pool } = opened;
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  // Embedded it is opened under a lock: no other process has it.
  const isAlone = !('url' in config);
  const report = (error: Error): void => deps.logger.warn({ err: error }, 'a database connection was lost');
  pool.on('error', report);
  // The pool listens to idle clients only: without this, one cut off inside a transaction would end the process.
  pool.on('connect', (client) => client.on('error', report));
  pool.on('release', (error, client) => {
    if (error || client.getTransactionStatus() === 'I') return;
    deps.logger.warn({}, 'a database client was released inside a transaction, which is rolled back');
    void client.end();
  });
  const close = async (): Promise<void> => {
    await endPool(pool, deps.logger);
    await opened.close();
  };
  try {
    await pool.query('SELECT 1').catch((error: Error) => {
      throw new ClosewatchError('store.unavailable', `PostgreSQL does not answer: ${error.message}`, {
        cause: error,
      });
    });
    await migrate(pool, deps);
    if (isAlone) await endTurns(db);
  } catch (error) {
    await close();
    throw error;
  }
  const vacuum = isAlone ? vacuumRegularly(pool, deps.logger) : undefined;
  return {
    db,
    pool,
    backend: isAlone ? 'pglite' : 'server',
    ping: async () => void (await pool.query('SELECT 1')),
    async close() {
      await vacuum?.stop();
      await close();
    },
  };
}

/** Ends the pool; a client that is never given back delays that, but does not keep the process. */
async function endPool(pool: pg.Pool, logger: Logger): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    late = setTimeout(() => {
      logger.warn({ clients: pool.totalCount }, 'database clients are still in use and are left behind');
      resolve();
    }, CLOSE_WITHIN_MS);
  });
  await Promise.race([pool.end(), deadline]);
  clearTimeout(late);
}

interface Opened {
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

const statementMs = (config: PostgresConfig): number => config.statementTimeoutMs ?? 120_000;
const idleMs = (config: PostgresConfig): number => config.idleInTransactionMs ?? 60_000;
const poolOptions = (config: PostgresConfig) => ({
  max: config.poolSize ?? 30,
  keepAlive: true,
  types: typeParsers as pg.CustomTypesConfig,
});

function openServer(config: PostgresConfig & { url: string }): Opened {
  const settings = [
    `SET search_path = ${SEARCH_PATH}`,
    `SET timezone = 'UTC'`,
    `SET statement_timeout = ${statementMs(config)}`,
    `SET idle_in_transaction_session_timeout = ${idleMs(config)}`,
  ].join('; ');
  const pool = new pg.Pool({
    ...poolOptions(config),
    connectionString: config.url,
    connectionTimeoutMillis: 30_000,
    application_name: 'closewatch',
    onConnect: async (client) => void (await client.query(settings)),
  });
  return { pool, close: async () => {} };
}

async function openEmbedded(config: PostgresConfig & { dataDir: string }, logger: Logger): Promise<Opened> {
  const directory = join(config.dataDir, 'postgres');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = await lockDirectory(directory, { waitMs: config.lockWaitMs ?? 10_000 });
  const session = new SharedSession(
    {
      dataDir: join(directory, 'data'),
      settings: { search_path: SEARCH_PATH, timezone: 'UTC', shared_buffers: '32MB' },
    },
    { statementMs: statementMs(config), idleInTransactionMs: idleMs(config) },
    logger,
  );
  const close = async (): Promise<void> => {
    await session.close();
    lock.release();
  };
  try {
    await session.ready();
  } catch (error) {
    await close();
    throw new ClosewatchError('store.unavailable', `the embedded PostgreSQL in ${directory} does not open`, {
      cause: error,
    });
  }
  // No TLS inside a process, whatever PGSSLMODE asks of servers.
  const pool = new pg.Pool({
    ...poolOptions(config),
    user: 'postgres',
    ssl: false,
    stream: () => session.connect(),
  });
  return { pool, close };
}
