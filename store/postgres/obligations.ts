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

/** The rule's obligations that one of the join keys touches, and those with one of the ids. */
export async function obligationsTouched(
  db: Kysely<Database>,
  rule: string,
  touched: { keys: readonly string[]; ids: readonly string[] },
): Promise<ObligationRow[]> {
  const found = new Map<string, ObligationRow>();
  const add = (rows: readonly ObligationRow[]): void => {
    for (const row of rows) found.set(row.id, row);
  };
  for (const keys of slices(touched.keys, KEYS_A_STATEMENT)) {
    // The ids first, as one array: the plan stays the same where the tables have no statistics yet.
    const touchedIds = sql<string>`ARRAY(SELECT obligation FROM obligation_keys WHERE join_key = ANY(${keys}::text[]))`;
    add(
      await db
        .selectFrom('obligations')
        .selectAll()
        .where('rule', '=', rule)
        .where(sql<boolean>`id = ANY(${touchedIds})`)
        .execute(),
    );
  }
  for (const ids of slices(touched.ids, KEYS_A_STATEMENT)) {
    add(
      await db
        .selectFrom('obligations')
        .selectAll()
        .where('rule', '=', rule)
        .where(sql<boolean>`id = ANY(${ids}::text[])`)
        .execute(),
    );
  }
  return [...found.values()];
}

/** By rule, which of the join keys touch an obligation of it. */
export async function keysStoredByRule(
  db: Kysely<Database>,
  keys: readonly string[],
): Promise<Map<string, Set<string>>> {
  const stored = new Map<string, Set<string>>();
  for (const some of slices(keys, KEYS_A_STATEMENT)) {
    const rows = await db
      .selectFrom('obligation_keys')
      .innerJoin('obligations', 'obligations.id', 'obligation_keys.obligation')
      .select(['obligation_keys.join_key', 'obligations.rule'])
      .distinct()
      .where(sql<boolean>`obligation_keys.join_key = ANY(${some}::text[])`)
      .execute();
    for (const { join_key, rule } of rows) {
      const known = stored.get(rule);
      if (known) known.add(join_key);
      else stored.set(rule, new Set([join_key]));
    }
  }
  return stored;
}

/** Which of the join keys touch any obligation. */
export async function keysWithObligations(
  db: Kysely<Database>,
  keys: readonly string[],
): Promise<Set<string>> {
  const known = new Set<string>();
  for (const some of slices(keys, KEYS_A_STATEMENT)) {
    const rows = await db
      .selectFrom('obligation_keys')
      .select('join_key')
      .distinct()
      .where(sql<boolean>`join_key = ANY(${some}::text[])`)
      .execute();
    for (const { join_key } of rows) known.add(join_key);
  }
  return known;
}

/** The join keys of obligations, by obligation. */
export async function keysOfObligations(
  db: Kysely<Database>,
  ids: readonly string[],
): Promise<Map<string, string[]>> {
  const keys = new Map<string, string[]>();
  for (const some of slices(ids, KEYS_A_STATEMENT)) {
    const rows = await db
      .selectFrom('obligation_keys')
      .selectAll()
      .where(sql<boolean>`obligation = ANY(${some}::text[])`)
      .execute();
    for (const { obligation, join_key } of rows) {
      const known = keys.get(obligation);
      if (known) known.push(join_key);
      else keys.set(obligation, [join_key]);
    }
  }
  return keys;
}

export interface ToJudge {
  readonly id: string;
  readonly rule: string;
  /** When it started, epoch nanoseconds. */
  readonly anchor_ns: string | number | bigint;
}

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
    .select(['id', 'rule', 'anchor_ns'])
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
    .select(['id', 'rule', 'anchor_ns'])
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
    .select(['id', 'rule', 'anchor_ns'])
    .where(sql<boolean>`rule = ANY(${rules}::text[])`)
    .where(sql<boolean>`company = ANY(${companies}::text[])`)
    .where('state', 'in', ['open', 'indeterminate'])
    .orderBy('due_ns')
    .orderBy('id')
    .execute();
}

/** The unanswered obligations of the rules, by id after `after`, 50,000 at most. */
export async function obligationsUnanswered(
  db: Kysely<Database>,
  rules: readonly string[],
  after: string,
): Promise<ToJudge[]> {
  return await db
    .selectFrom('obligations')
    .select(['id', 'rule', 'anchor_ns'])
    .where(sql<boolean>`rule = ANY(${rules}::text[])`)
    .where('id', '>', after)
    .where('state', 'in', ['open', 'indeterminate'])
    .orderBy('id')
    .limit(MOST)
    .execute();
}

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
    .select(['id', 'rule', 'anchor_ns'])
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

/** The unanswered obligations of the rule that another version of it judged, by id after `after`, 50,000 at most. */
export async function obligationsOfOtherVersions(
  db: Kysely<Database>,
  rule: { id: string; version: number },
  after: string,
): Promise<ToJudge[]> {
  return await db
    .selectFrom('obligations')
    .select(['id', 'rule', 'anchor_ns'])
    .where('rule', '=', rule.id)
    .where('rule_version', '<>', rule.version)
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
] as const satisfies readonly (keyof ObligationTable)[];

/** Writes obligations as they are now, and their join keys; `isStored` says which ones may have keys already. */
export async function saveObligations(
  db: Kysely<Database>,
  obligations: readonly NewObligation[],
  keys: ReadonlyMap<string, readonly string[]>,
  at: Date,
  isStored: (id: string) => boolean = () => true,
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
        })),
      )
      .execute();
  }
  await saveKeys(db, keys, isStored);
}

async function saveKeys(
  db: Kysely<Database>,
  keys: ReadonlyMap<string, readonly string[]>,
  isStored: (id: string) => boolean,
): Promise<void> {
  const ids = [...keys.keys()];
  const known = await keysOfObligations(db, ids.filter(isStored));
  const gone = ids.filter((id) => (known.get(id) ?? []).some((key) => !keys.get(id)?.includes(key)));
  for (const some of slices(gone, KEYS_A_STATEMENT)) {
    await sql`DELETE FROM obligation_keys WHERE obligation = ANY(${some}::text[])`.execute(db);
    for (const id of some) known.delete(id);
  }
  const fresh = ids.flatMap((id) =>
    (keys.get(id) ?? [])
      .filter((key) => !known.get(id)?.includes(key))
      .map((key) => ({ join_key: key, obligation: id })),
  );
  for (const some of slices(fresh, KEYS_A_STATEMENT)) {
    await db
      .insertInto('obligation_keys')
      .columns(['join_key', 'obligation'])
      .expression(recordset('obligation_keys', ['join_key', 'obligation'], some))
      .onConflict((c) => c.doNothing())
      .execute();
  }
}

/** Removes obligations that are none any more, with their keys. */
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
