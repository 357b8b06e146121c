import type { Kysely, Transaction } from 'kysely';
import type { Company } from '../../model/company.ts';
import type { SourceStream } from '../../model/watermark.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { appendChanges } from '../../store/postgres/change-log.ts';
import { exceptionsOf, saveExceptions } from '../../store/postgres/exceptions.ts';
import {
  indeterminateGroups,
  indeterminateUpTo,
  keysOfObligations,
  keysWithObligations,
  obligationsDue,
  obligationsEscalating,
  obligationsOfOtherRules,
  obligationsOfOtherVersions,
  removeObligations,
  type ToJudge,
} from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { type CaseEvent, caseEventOf } from './case-event.ts';
import { caseKeysOf, isSubjectOnly } from './cases.ts';
import { completenessOf } from './completeness.ts';
import { nextException } from './exception-changes.ts';
import { asDetected, beforeOf, columnsOf, exceptionChange, judgedOf, type Recorded } from './record.ts';
import { type Rule, STALE_SOURCE_RULE } from './rules.ts';
import { Touched } from './touched.ts';

type Looking = (type: string) => readonly Rule[];

/** Batches (after, upTo]. */
export interface Window {
  readonly after: bigint;
  readonly upTo: bigint;
}

const ROWS_A_WINDOW = 2_000;
/** Batches of which the sizes are asked at once. */
const BATCHES_A_PAGE = 1_000;

/** The batches (from, to] in windows of about 2,000 events; a larger batch is a window of its own. */
export async function* windowsOf(db: Kysely<Database>, from: bigint, to: bigint): AsyncGenerator<Window> {
  let after = from;
  while (after < to) {
    const page = await db
      .selectFrom('batches')
      .select(['batch', 'rows'])
      .where('batch', '>', `${after}`)
      .where('batch', '<=', `${to}`)
      .orderBy('batch')
      .limit(BATCHES_A_PAGE)
      .execute();
    let rows = 0;
    for (const batch of page) {
      rows += batch.rows;
      if (rows < ROWS_A_WINDOW) continue;
      yield { after, upTo: BigInt(batch.batch) };
      [after, rows] = [BigInt(batch.batch), 0];
    }
    const last = page.length < BATCHES_A_PAGE ? to : BigInt(page.at(-1)?.batch ?? to);
    if (last > after) yield { after, upTo: last };
    after = last;
  }
}

/** The setting that holds events dated after the pass that met them: [epoch nanoseconds, event id], due to be judged then. */
const AHEAD = 'detect.ahead';
const MOST_AHEAD = 100_000;

export interface Gathered {
  readonly touched: Touched;
  readonly events: number;
  /** Remembers the events dated in the future, in the transaction that moves the cursor past them. */
  remember(trx: Transaction<Database>, at: Date): Promise<void>;
}

/** What the events of a window touch. History touches only what is stored: it starts nothing. */
export async function gatherEvents(
  events: Pick<FinanceEventStore, 'inBatches'>,
  db: Kysely<Database>,
  looking: Looking,
  window: Window,
  now: bigint,
): Promise<Gathered> {
  const touched = new Touched();
  const history: { rule: Rule; keys: string[] }[] = [];
  const ahead: [string, string][] = [];
  let read = 0;
  for await (const stored of events.inBatches(window.after, window.upTo)) {
    read += 1;
    const rules = looking(stored.type);
    if (rules.length === 0) continue;
    const event = caseEventOf(stored);
    if (event.at > now) ahead.push([`${event.at}`, event.id]);
    else
      for (const rule of rules) {
        const keys = caseKeysOf(rule.expectation, event);
        if (event.history && isSubjectOnly(rule.expectation)) history.push({ rule, keys });
        else touched.add(rule, { keys });
      }
  }
  const known = await keysWithObligations(db, [...new Set(history.flatMap(({ keys }) => keys))]);
  for (const { rule, keys } of history) if (keys.some((key) => known.has(key))) touched.add(rule, { keys });
  return { touched, events: read, remember: (trx, at) => rememberAhead(trx, ahead, at) };
}

async function rememberAhead(
  trx: Transaction<Database>,
  ahead: readonly [string, string][],
  at: Date,
): Promise<void> {
  if (ahead.length === 0) return;
  const known = new Map((await readAhead(trx)).map(([time, id]) => [id, time]));
  for (const [time, id] of ahead) known.set(id, time);
  await writeAhead(
    trx,
    [...known].slice(0, MOST_AHEAD).map(([id, time]) => [time, id]),
    at,
  );
}

async function readAhead(db: Kysely<Database>): Promise<[string, string][]> {
  const row = await db.selectFrom('settings').select('value').where('name', '=', AHEAD).executeTakeFirst();
  return (row?.value ?? []) as [string, string][];
}

async function writeAhead(
  db: Kysely<Database>,
  ahead: readonly (readonly [string, string])[],
  at: Date,
): Promise<void> {
  const value = JSON.stringify(ahead);
  await db
    .insertInto('settings')
    .values({ name: AHEAD, value, updated_at: at })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value, updated_at: at }))
    .execute();
}

export interface DueQuestion {
  readonly rules: readonly Rule[];
  readonly looking: Looking;
  readonly streams: readonly SourceStream[];
  readonly companyOf: (key: string) => Company;
  /** The instants of the last pass and of this one, epoch nanoseconds. */
  readonly since: bigint;
  readonly now: bigint;
}

/**
 * What the passing of time touches: pending obligations whose deadline has come, indeterminate ones that their sources'
 * watermarks have reached, unanswered ones whose severity rises, and events whose time has come.
 */
export async function gatherDue(
  events: Pick<FinanceEventStore, 'byIds'>,
  db: Kysely<Database>,
  { rules, looking, streams, companyOf, since, now }: DueQuestion,
): Promise<Touched> {
  const ids = rules.map(({ expectation }) => expectation.id);
  const found = [
    ...(await obligationsDue(db, ids, now)),
    ...(await obligationsEscalating(db, ids, { since, now })),
  ];
  const question = { at: now, now, companyOf };
  for (const group of await indeterminateGroups(db)) {
    const rule = rules.find(({ expectation }) => expectation.id === group.rule);
    const watermark = rule && completenessOf(rule.expectation, streams, group, question).watermark;
    if (watermark !== undefined && watermark >= group.earliestDue)
      found.push(...(await indeterminateUpTo(db, group, watermark)));
  }
  const touched = await touchedBy(db, rules, found);
  for (const event of await arrivedInTime(events, db, now)) {
    for (const rule of looking(event.type)) touched.add(rule, { keys: caseKeysOf(rule.expectation, event) });
  }
  return touched;
}

/** The remembered events whose time has come, now forgotten: judged twice they do no harm, and a crash keeps them in their cases. */
async function arrivedInTime(
  events: Pick<FinanceEventStore, 'byIds'>,
  db: Kysely<Database>,
  now: bigint,
): Promise<CaseEvent[]> {
  const ahead = await readAhead(db);
  const come = ahead.filter(([time]) => BigInt(time) <= now);
  if (come.length === 0) return [];
  return (await events.byIds(come.map(([, id]) => id))).map(caseEventOf);
}

/** Forgets the remembered events whose time has come, once they are judged. */
export async function forgetArrived(trx: Transaction<Database>, now: bigint, at: Date): Promise<void> {
  const ahead = await readAhead(trx);
  const left = ahead.filter(([time]) => BigInt(time) > now);
  if (left.length < ahead.length) await writeAhead(trx, left, at);
}

/** Unanswered obligations that an earlier version of their rule judged. */
export async function gatherOtherVersions(db: Kysely<Database>, rules: readonly Rule[]): Promise<Touched> {
  const found: ToJudge[] = [];
  for (const { expectation } of rules) found.push(...(await obligationsOfOtherVersions(db, expectation)));
  return await touchedBy(db, rules, found);
}

async function touchedBy(
  db: Kysely<Database>,
  rules: readonly Rule[],
  found: readonly ToJudge[],
): Promise<Touched> {
  const touched = new Touched();
  const byId = new Map(rules.map((rule) => [rule.expectation.id, rule]));
  const keys = await keysOfObligations(db, [...new Set(found.map(({ id }) => id))]);
  for (const { id, rule } of found) {
    const known = byId.get(rule);
    if (known) touched.add(known, { obligation: id, keys: keys.get(id) ?? [] });
  }
  return touched;
}

/** Ends what rules left behind that are no longer there or switched off: their open exceptions resolve and say so. */
export async function closeOtherRules(
  trx: Transaction<Database>,
  rules: readonly Rule[],
  at: Date,
): Promise<Recorded> {
  const active = [...rules.map(({ expectation }) => expectation.id), STALE_SOURCE_RULE];
  const left = await obligationsOfOtherRules(trx, active);
  const exceptions = await exceptionsOf(
    trx,
    left.map(({ id }) => id),
  );
  const writes = [...exceptions.values()].flatMap((known) => {
    const next = nextException(beforeOf(known), 'resolved', judgedOf(known), at);
    const why = `Rule ${known.rule} is no longer there or is switched off`;
    return next ? [{ row: { ...asDetected(known), ...columnsOf(next), why }, change: next.change }] : [];
  });
  await removeObligations(
    trx,
    left.map(({ id }) => id),
  );
  await saveExceptions(
    trx,
    writes.map(({ row }) => row),
    at,
  );
  await appendChanges(
    trx,
    writes.map(({ row, change }) => exceptionChange(row, change, at)),
  );
  return { judged: left.length, opened: 0, closed: writes.length };
}
