import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Insertable } from 'kysely';
import { type Company, company } from '../model/company.ts';
import type { Logger } from '../store/logger.ts';
import { openPostgres, type Postgres } from '../store/postgres/database.ts';
import type { Database, ExceptionTable } from '../store/postgres/schema.ts';

/** A logger that keeps what it is told, for tests that look for what must not be in a log. */
export function memoryLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (level: string) => (fields: object, message: string) =>
    void lines.push(
      `${level} ${message} ${JSON.stringify(fields, (_, v) => (v instanceof Error ? v.stack : v))}`,
    );
  return { lines, error: keep('error'), warn: keep('warn'), info: keep('info'), debug: keep('debug') };
}

/** An embedded PostgreSQL in a directory of its own; `close` removes it. */
export async function temporaryPostgres(): Promise<{ postgres: Postgres; close(): Promise<void> }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'closewatch-incidents-'));
  const postgres = await openPostgres({ dataDir }, { logger: memoryLogger() });
  return {
    postgres,
    async close() {
      await postgres.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Empties the tables that incidents, assessments and messages live in. */
export async function emptied({ pool }: Postgres): Promise<void> {
  await pool.query(
    'TRUNCATE closewatch.incident_moves, closewatch.silences, closewatch.approvals, closewatch.accruals, closewatch.waivers, closewatch.proposals, closewatch.corrections, closewatch.principal_tokens, closewatch.messages, closewatch.assessments, closewatch.exceptions, closewatch.incidents, closewatch.identities, closewatch.principals, closewatch.change_log, closewatch.sources, closewatch.settings',
  );
}

export const acme: Company = company.parse({
  key: 'acme',
  materiality: { overall: '100000', performance: '60000', trivial: '5000' },
});

const DAY_ONE = Date.UTC(2026, 4, 4, 8);
/** Epoch nanoseconds, so many seconds after the first day's morning. */
export const at = (seconds: number): bigint => BigInt(DAY_ONE + seconds * 1_000) * 1_000_000n;

type Row = Insertable<ExceptionTable>;

/** An open exception `id` of rule MP-02 that opened on the first morning. */
export const exceptionRow = (id: string, over: Partial<Row> = {}): Row => ({
  id,
  obligation: id,
  rule: 'MP-02',
  rule_version: 1,
  flow: 'ap-bills',
  kind: 'response',
  company: 'acme',
  source: '/ocr/capture',
  subject: `BILL/${id}`,
  occurrence: 'first',
  state: 'open',
  severity: 'low',
  close_impact: 'warning',
  amount: '300.00',
  currency: 'EUR',
  opened_at: new Date(DAY_ONE),
  due_ns: at(-3_600),
  anchor_ns: at(-7_200),
  why: 'bill.received was not followed by bill.posted within 1h',
  events: [`event-${id}`],
  trace_ids: [],
  ...over,
});

export async function openExceptions(postgres: Postgres, rows: readonly Row[]): Promise<void> {
  for (let from = 0; from < rows.length; from += 500) {
    await postgres.db
      .insertInto('exceptions')
      .values(rows.slice(from, from + 500))
      .execute();
  }
}

/** Closes (or changes) exceptions, as detection does. */
export async function changeExceptions(
  postgres: Postgres,
  ids: readonly string[],
  change: Partial<Pick<Database['exceptions'], 'state'>> & { reopened?: number; severity?: Row['severity'] },
): Promise<void> {
  await postgres.db
    .updateTable('exceptions')
    .set(change)
    .where('id', 'in', [...ids])
    .execute();
}
