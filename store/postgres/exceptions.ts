import { type Insertable, type Kysely, type Selectable, sql } from 'kysely';
import type { EventRef } from '../../model/event.ts';
import { recordset } from './recordset.ts';
import type { Database, ExceptionTable } from './schema.ts';

export type ExceptionRow = Selectable<ExceptionTable>;
/** What detection decides of an exception; the incident, error signature and what people did stay as they are. */
export type DetectedException = Omit<
  Insertable<ExceptionTable>,
  'incident' | 'error_signature' | 'updated_at' | 'obligation'
>;

/** The events that decided an exception. What was stored without their sources names its own. */
export const eventRefsOf = (row: Pick<ExceptionRow, 'source' | 'events' | 'event_sources'>): EventRef[] =>
  row.events.map((id, at) => ({ source: row.event_sources[at] ?? row.source, id }));

const ROWS_A_STATEMENT = 1_000;

/** The exceptions of these obligations, locked to the end of the transaction. */
export async function exceptionsOf(
  db: Kysely<Database>,
  ids: readonly string[],
): Promise<Map<string, ExceptionRow>> {
  const rows = await db
    .selectFrom('exceptions')
    .selectAll()
    .where(sql<boolean>`id = ANY(${ids}::text[])`)
    .orderBy('id')
    .forUpdate()
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

/** The exceptions of a rule that are open or indeterminate, locked to the end of the transaction. */
export async function openExceptionsOfRule(db: Kysely<Database>, rule: string): Promise<ExceptionRow[]> {
  return await db
    .selectFrom('exceptions')
    .selectAll()
    .where('rule', '=', rule)
    .where('state', 'in', ['open', 'indeterminate'])
    .orderBy('id')
    .forUpdate()
    .execute();
}

const COLUMNS = [
  'id',
  'obligation',
  'rule',
  'rule_version',
  'flow',
  'kind',
  'company',
  'source',
  'subject',
  'occurrence',
  'state',
  'severity',
  'close_impact',
  'amount',
  'currency',
  'opened_at',
  'closed_at',
  'due_ns',
  'anchor_ns',
  'answered_ns',
  'reopened',
  'why',
  'events',
  'event_sources',
  'trace_ids',
  'inhibited_by',
  'notify',
  'updated_at',
] as const satisfies readonly (keyof ExceptionTable)[];

/** Writes exceptions as detection sees them now. */
export async function saveExceptions(
  db: Kysely<Database>,
  exceptions: readonly DetectedException[],
  at: Date,
): Promise<void> {
  for (let from = 0; from < exceptions.length; from += ROWS_A_STATEMENT) {
    const rows = exceptions
      .slice(from, from + ROWS_A_STATEMENT)
      .map((row) => ({ event_sources: [], ...row, obligation: row.id, updated_at: at }));
    await db
      .insertInto('exceptions')
      .columns(COLUMNS)
      .expression(recordset('exceptions', COLUMNS, rows))
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet(({ ref }) => ({
          rule_version: ref('excluded.rule_version'),
          flow: ref('excluded.flow'),
          state: ref('excluded.state'),
          severity: ref('excluded.severity'),
          close_impact: ref('excluded.close_impact'),
          amount: ref('excluded.amount'),
          currency: ref('excluded.currency'),
          opened_at: ref('excluded.opened_at'),
          closed_at: ref('excluded.closed_at'),
          due_ns: ref('excluded.due_ns'),
          anchor_ns: ref('excluded.anchor_ns'),
          answered_ns: ref('excluded.answered_ns'),
          reopened: ref('excluded.reopened'),
          why: ref('excluded.why'),
          events: ref('excluded.events'),
          event_sources: ref('excluded.event_sources'),
          trace_ids: ref('excluded.trace_ids'),
          inhibited_by: ref('excluded.inhibited_by'),
          notify: ref('excluded.notify'),
          updated_at: ref('excluded.updated_at'),
        })),
      )
      .execute();
  }
}

/** What explains the indeterminate exceptions of a rule, company and source: `source:<name>`. */
export interface Explained {
  readonly rule: string;
  readonly company: string;
  readonly source: string;
  readonly by: string;
}

/** Names on indeterminate exceptions what explains them away. */
export async function inhibitExceptions(
  db: Kysely<Database>,
  explained: readonly Explained[],
  at: Date,
): Promise<void> {
  if (explained.length === 0) return;
  await sql`UPDATE exceptions SET inhibited_by = explained.by, updated_at = ${at}
    FROM json_to_recordset(${JSON.stringify(explained)}::json)
      AS explained (rule text, company text, source text, by text)
    WHERE exceptions.rule = explained.rule AND exceptions.company = explained.company
      AND exceptions.source = explained.source AND exceptions.state = 'indeterminate'
      AND exceptions.inhibited_by IS DISTINCT FROM explained.by`.execute(db);
}
