import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Logger } from '../../logger.ts';

/** The server that suites use when it is there: each makes a database of its own and drops it. */
const SERVER = 'postgres://postgres@127.0.0.1:5432/postgres';

/** Where a new, empty database is: what `openPostgres` takes. */
export type Place = { readonly dataDir: string } | { readonly url: string };

export interface TemporaryPlace {
  readonly place: Place;
  /** Removes it; whatever has it open is cut off. */
  remove(): Promise<void>;
}

/** One of the back ends that a conformance suite runs on. */
export interface BackEnd {
  readonly name: string;
  readonly isEmbedded: boolean;
  /** Is there none here? The suite is skipped then. */
  readonly isAbsent: boolean;
  create(): Promise<TemporaryPlace>;
}

/** PGlite, and the PostgreSQL server of this machine. */
export async function backEnds(): Promise<BackEnd[]> {
  const isAbsent = !(await answers());
  return [
    { name: 'PGlite', isEmbedded: true, isAbsent: false, create: async () => temporaryFolder() },
    {
      name: isAbsent ? 'PostgreSQL (skipped: no server on 127.0.0.1:5432)' : 'PostgreSQL',
      isEmbedded: false,
      isAbsent,
      create: temporaryDatabase,
    },
  ];
}

/** A new folder for an embedded database. */
export function temporaryFolder(): TemporaryPlace & { readonly place: { readonly dataDir: string } } {
  const dataDir = mkdtempSync(join(tmpdir(), 'closewatch-postgres-'));
  return { place: { dataDir }, remove: async () => rmSync(dataDir, { recursive: true, force: true }) };
}

async function temporaryDatabase(): Promise<TemporaryPlace> {
  const name = `closewatch_test_${randomBytes(6).toString('hex')}`;
  await onServer((client) => client.query(`CREATE DATABASE ${name}`));
  const url = new URL(SERVER);
  url.pathname = name;
  return {
    place: { url: url.href },
    remove: async () => void (await onServer((client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`))),
  };
}

async function onServer<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: SERVER, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const answers = (): Promise<boolean> =>
  onServer((client) => client.query('SELECT 1')).then(
    () => true,
    () => false,
  );

/** A logger that keeps what it is told. */
export function keepingLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`);
  return { lines, error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}
