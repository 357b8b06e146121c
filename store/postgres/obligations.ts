import { type Insertable, type Kysely, type Selectable, sql } from 'kysely';
import { recordset } from './recordset.ts';
import type { Database, ObligationTable } from './schema.ts';

export type ObligationRow = Selectable<ObligationTable>;
export type NewObligation = Omit<Insertable<ObligationTable>, 'updated_at'>;

/** Rows of one statement. */
const ROWS_A_STATEMENT = 2_000;
const KEYS_A_STATEMENT = 10_000;

function* slices<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

/** What tells whose an obligation is, and how it stands. */
export type ObligationHead = Pick<
  ObligationRow,
  'id' | 'rule' | 'state' | 'source' | 'anchor_event' | 'anchor_ns' | 'case_key'
>;

const HEAD = ['id', 'rule', 'state', 'source', 'anchor_event', 'anchor_ns', 'case_key'] as const;

/** All obligations of some companies, of all rules: for who judges all of their cases again. */
export async function obligationsOfCompanies(
  db: Kysely<Database>,
  companies: readonly string[],
): Promise<ObligationHead[]> {
  return await db
    .selectFrom('obligations')
    .select(HEAD)
    .where(sql<boolean>`company = ANY(${companies}::text[])`)
    .execute();
}

/** The obligations of all rules to whose cases the keys lead. */
export async function obligationsOfCases(
  db: Kysely<Database>,
  keys: readonly string[],
): Promise<ObligationHead[]> {
  const found: ObligationHead[] = [];
  for (const some of slices(keys, KEYS_A_STATEMENT))
    found.push(
      ...(await db
        .selectFrom('obligations')
        .select(HEAD)
        .where(sql<boolean>`case_key = ANY(${some}::text[])`)
        .execute()),
    );
  return found;
}

/** Those of these obligations that are stored. */
export async function obligationsOf(db: Kysely<Database>, ids: readonly string[]): Promise<ObligationRow[]> {
  const found: ObligationRow[] = [];
  for (const some of slices(ids, KEYS_A_STATEMENT))
    found.push(
      ...(await db
        .selectFrom('obligations')
        .selectAll()
        .where(sql<boolean>`id = ANY(${some}::text[])`)
        .execute()),
    );
  return found;
}

export interface ToJudge {
  readonly id: string;
  readonly rule: string;
  /** When it started, epoch nanoseconds. */
  readonly anchor_ns: string | number | bigint;
  /** The key that leads to its case. */
  readonly case_key: string;
}

const TO_JUDGE = ['id', 'rule', 'anchor_ns', 'case_key'] as const;

/** Ids that one pass takes at most; the next takes the rest. */
const MOST = 50_000;

/** Pending obligations of the rules whose deadline has come, the earliest first, 50,000 at most. */
export async function obligationsDue(
  db: Kysely<Database>,
  rules: readonly string[],
  now: bigint,
): Promise<ToJudge[]> {
  return await db
    .selectFrom('obligations')
    .select(TO_JUDGE)
    .where('state', '=', 'pending')
    .where('due_ns', '<=', `${now}`)
    .where(sql<boolean>`rule = ANY(${rules}::text[])`)
    .orderBy('due_ns')
    .orderBy('id')
    .limit(MOST)
    .execute();
}

/** Unanswered obligations of the rules that are to be judged again in (since, now], epoch nanoseconds. */
export async function obligationsToRevisit(
  db: Kysely<Database>,
  rules: readonly string[],
  { since, now }: { since: bigint; now: bigint },
): Promise<ToJudge[]> {
  return await db
    .selectFrom('obligations')
    .select(TO_JUDGE)
    .where('state', 'in', ['open', 'indeterminate'])
    .where('revisit_ns', '>', `${since}`)
    .where('revisit_ns', '<=', `${now}`)
    .where(sql<boolean>`rule = ANY(${rules}::text[])`)
    .orderBy('due_ns')
    .orderBy('id')
    .execute();
}

/** The companies that have unanswered obligations of the rules. */
export async function companiesWithOpen(db: Kysely<Database>, rules: readonly string[]): Promise<string[]> {
  const rows = await db
    .selectFrom('obligations')
    .select('company')
    .distinct()
    .where(sql<boolean>`rule = ANY(${rules}::text[])`)
    .where('state', 'in', ['open', 'indeterminate'])
    .orderBy('company')
    .execute();
  return rows.map(({ company }) => company);
}

/** The unanswered obligations of the rules in the companies. */
export async function obligationsOpenIn(
  db: Kysely<Database>,
  rules: readonly string[],
  companies: readonly string[],
): Promise<ToJudge[]> {
  return await db
    .selectFrom('obligations')
    .select(TO_JUDGE)
    .where(sql<boolean>`rule = ANY(${rules}::text[])`)
    .where(sql<boolean>`company = ANY(${companies}::text[])`)
    .where('state', 'in', ['open', 'indeterminate'])
    .orderBy('due_ns')
    .orderBy('id')
    .execute();
}

/** Stored obligations of the rules, by id after `after`, 50,000 at most. */
const pageOf = (db: Kysely<Database>, rules: readonly string[], after: string) =>
  db
    .selectFrom('obligations')
    .select(TO_JUDGE)
    .where(sql<boolean>`rule = ANY(${rules}::text[])`)
    .where('id', '>', after)
    .orderBy('id')
    .limit(MOST);

/** The unanswered obligations of the rules, by id after `after`, 50,000 at most. */
export const obligationsUnanswered = (
  db: Kysely<Database>,
  rules: readonly string[],
  after: string,
): Promise<ToJudge[]> => pageOf(db, rules, after).where('state', 'in', ['open', 'indeterminate']).execute();

/** All stored obligations of the rules, whatever their state, likewise. */
export const obligationsOfRules = (
  db: Kysely<Database>,
  rules: readonly string[],
  after: string,
): Promise<ToJudge[]> => pageOf(db, rules, after).execute();

/** Where obligations wait for a source: by rule, company and source how many, and the span of their deadlines. */
export interface IndeterminateGroup {
  readonly rule: string;
  readonly company: string;
  readonly source: string;
  readonly count: number;
  readonly earliestDue: bigint;
  readonly latestDue: bigint;
}

export async function indeterminateGroups(db: Kysely<Database>): Promise<IndeterminateGroup[]> {
  const rows = await db
    .selectFrom('obligations')
    .select(({ fn }) => [
      'rule',
      'company',
      'source',
      fn.countAll<string>().as('count'),
      fn.min('due_ns').as('earliest'),
      fn.max('due_ns').as('latest'),
    ])
    .where('state', '=', 'indeterminate')
    .groupBy(['rule', 'company', 'source'])
    .orderBy('rule')
    .orderBy('company')
    .orderBy('source')
    .execute();
  return rows.map((row) => ({
    rule: row.rule,
    company: row.company,
    source: row.source,
    count: Number(row.count),
    earliestDue: BigInt(row.earliest),
    latestDue: BigInt(row.latest),
  }));
}

/** The indeterminate obligations of a group whose deadline the watermark has reached, the earliest first, 50,000 at most. */
export async function indeterminateUpTo(
  db: Kysely<Database>,
  group: Pick<IndeterminateGroup, 'rule' | 'company' | 'source'>,
  watermark: bigint,
): Promise<ToJudge[]> {
  return await db
    .selectFrom('obligations')
    .select(TO_JUDGE)
    .where('state', '=', 'indeterminate')
    .where('rule', '=', group.rule)
    .where('company', '=', group.company)
    .where('source', '=', group.source)
    .where('due_ns', '<=', `${watermark}`)
    .orderBy('due_ns')
    .orderBy('id')
    .limit(MOST)
    .execute();
}

/** The unanswered obligations of the rules that another version of them judged, by id after `after`, 50,000 at most. */
export async function obligationsOfOtherVersions(
  db: Kysely<Database>,
  rules: readonly { readonly id: string; readonly version: number }[],
  after: string,
): Promise<ToJudge[]> {
  const versions = JSON.stringify(Object.fromEntries(rules.map(({ id, version }) => [id, version])));
  return await db
    .selectFrom('obligations')
    .select(TO_JUDGE)
    .where(sql<boolean>`rule_version <> (${versions}::jsonb ->> rule)::integer`)
    .where('id', '>', after)
    .where('state', 'in', ['pending', 'open', 'indeterminate'])
    .orderBy('id')
    .limit(MOST)
    .execute();
}

/** The unanswered obligations of rules other than these, 50,000 at most. */
export async function obligationsOfOtherRules(
  db: Kysely<Database>,
  rules: readonly string[],
): Promise<ObligationRow[]> {
  return await db
    .selectFrom('obligations')
    .selectAll()
    .where(sql<boolean>`NOT (rule = ANY(${rules}::text[]))`)
    .where('state', 'in', ['pending', 'open', 'indeterminate'])
    .orderBy('id')
    .limit(MOST)
    .execute();
}

const COLUMNS = [
  'id',
  'rule',
  'rule_version',
  'flow',
  'kind',
  'company',
  'source',
  'subject',
  'occurrence',
  'state',
  'anchor_event',
  'anchor_ns',
  'due_ns',
  'answered_ns',
  'amount',
  'currency',
  'severity',
  'events',
  'why',
  'watermark_ns',
  'history',
  'updated_at',
  'revisit_ns',
  'case_key',
] as const satisfies readonly (keyof ObligationTable)[];

/** Writes obligations as they are now. */
export async function saveObligations(
  db: Kysely<Database>,
  obligations: readonly NewObligation[],
  at: Date,
): Promise<void> {
  for (const some of slices(obligations, ROWS_A_STATEMENT)) {
    const rows = some.map((row) => ({ ...row, updated_at: at }));
    await db
      .insertInto('obligations')
      .columns(COLUMNS)
      .expression(recordset('obligations', COLUMNS, rows))
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet(({ ref }) => ({
          rule_version: ref('excluded.rule_version'),
          flow: ref('excluded.flow'),
          kind: ref('excluded.kind'),
          state: ref('excluded.state'),
          anchor_event: ref('excluded.anchor_event'),
          anchor_ns: ref('excluded.anchor_ns'),
          due_ns: ref('excluded.due_ns'),
          answered_ns: ref('excluded.answered_ns'),
          amount: ref('excluded.amount'),
          currency: ref('excluded.currency'),
          severity: ref('excluded.severity'),
          events: ref('excluded.events'),
          why: ref('excluded.why'),
          watermark_ns: ref('excluded.watermark_ns'),
          history: ref('excluded.history'),
          updated_at: ref('excluded.updated_at'),
          revisit_ns: ref('excluded.revisit_ns'),
          case_key: ref('excluded.case_key'),
        })),
      )
      .execute();
  }
}

/** Removes obligations that are none any more, or that nobody asks for. */
export async function removeObligations(db: Kysely<Database>, ids: readonly string[]): Promise<void> {
  for (const some of slices(ids, KEYS_A_STATEMENT)) {
    await sql`DELETE FROM obligations WHERE id = ANY(${some}::text[])`.execute(db);
  }
}

/**
 * Removes decided obligations (satisfied, voided, late) that no exception is about, that did not change since the instant
 * and whose changes ClickHouse has; `most` at most. Returns how many.
 */
export async function removeDecided(db: Kysely<Database>, before: Date, most: number): Promise<number> {
  const removed = await sql<{ id: string }>`DELETE FROM obligations WHERE id IN (
    SELECT id FROM obligations
    WHERE state IN ('satisfied', 'voided', 'late')
      AND updated_at < least(${before}, (SELECT min(at) FROM change_log WHERE NOT shipped))
      AND NOT EXISTS (SELECT FROM exceptions WHERE exceptions.id = obligations.id)
    ORDER BY updated_at LIMIT ${most}
  ) RETURNING id`.execute(db);
  return removed.rows.length;
}
