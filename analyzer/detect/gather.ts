import type { Kysely, Transaction } from 'kysely';
import type { Company } from '../../model/company.ts';
import type { SourceStream } from '../../model/watermark.ts';
import type { BatchSpan, FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import {
  type EventAhead,
  eventsCome,
  forgetAhead,
  rememberAhead,
} from '../../store/postgres/events-ahead.ts';
import { sentOnIn } from '../../store/postgres/inbox-replay.ts';
import {
  indeterminateGroups,
  indeterminateUpTo,
  obligationsDue,
  obligationsOfCases,
  obligationsToRevisit,
  obligationsUnanswered,
  type ToJudge,
} from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { type CaseEvent, caseEventOf, type StoredEvent } from './case-event.ts';
import { isSubjectOnly } from './cases.ts';
import { obligationsOfMovedClose } from './close-moves.ts';
import { completenessOf } from './completeness.ts';
import { changesOnlyLater } from './groups.ts';
import type { CaseReading } from './load-cases.ts';
import type { Rule } from './rules.ts';
import { Touched, type TouchedUnit } from './touched.ts';

export interface GatherQuestion {
  /** Epoch nanoseconds. */
  readonly now: bigint;
  readonly applies: Applies;
  /** Patterns of the types whose payload is needed. */
  readonly dataTypes: readonly string[];
  /** Patterns of the types that are read at all; undefined: every type. */
  readonly types?: readonly string[] | undefined;
  /** Do only events that may be anchors touch the cases of rules that join by keys? All obligations are of one: where all is judged, that is enough. */
  readonly anchorsOnly?: boolean | undefined;
  /** Makes the reading of the cases that are touched, which begins while more is gathered. */
  read(taken: BatchSpan): CaseReading;
}

/** Does the rule apply to the company? One that does not starts nothing there. */
export type Applies = (rule: Rule, company: string) => boolean;

export type Looking = (type: string) => readonly Rule[];

/** Batches (after, upTo]. */
export interface Window extends BatchSpan {
  /** So many events were accepted in them. */
  readonly rows: number;
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
      yield { after, upTo: BigInt(batch.batch), rows };
      [after, rows] = [BigInt(batch.batch), 0];
    }
    const last = page.length < BATCHES_A_PAGE ? to : BigInt(page.at(-1)?.batch ?? to);
    if (last > after) yield { after, upTo: last, rows };
    after = last;
  }
}

/** Events that came in batches just read. */
export interface FreshEvents extends BatchSpan {
  /** Those that a rule looks at and that are not dated in the future. */
  readonly events: readonly CaseEvent[];
  /** Those dated in the future, and those of other batches that a person sent through again. */
  readonly others: readonly CaseEvent[];
}

export interface Gathered {
  readonly touched: Touched;
  readonly fresh: FreshEvents;
  readonly events: number;
  /** The reading of what is touched, which has taken the fresh events; none of a window that is large. */
  readonly reading?: CaseReading | undefined;
  /** Remembers the events dated in the future, in the transaction that moves the cursor past them. */
  remember(trx: Transaction<Database>): Promise<void>;
}

/** Of a window of more events than this the cases are read in parts, and not while it is gathered. */
const LARGE = 20_000;

/**
 * What the events of a window touch, those included that a person sent through again in it. History touches only what is
 * stored: it starts nothing.
 */
export async function gatherEvents(
  events: Pick<FinanceEventStore, 'factsInBatches' | 'byRefs'>,
  db: Kysely<Database>,
  looking: Looking,
  window: Window,
  { now, applies, anchorsOnly, read, ...patterns }: GatherQuestion,
): Promise<Gathered> {
  const touched = new Touched();
  const history: { rule: Rule; unit: TouchedUnit }[] = [];
  const ahead: EventAhead[] = [];
  const [fresh, others]: [CaseEvent[], CaseEvent[]] = [[], []];
  const reading = window.rows > LARGE ? undefined : read(window);
  const lists = new Lists(touched, looking, applies, anchorsOnly ?? false);
  let count = 0;
  const take = (stored: StoredEvent & { readonly batch: string }): void => {
    count += 1;
    const rules = looking(stored.type);
    if (rules.length === 0) return;
    const event = caseEventOf(stored);
    const isFresh = event.at <= now && isIn(window, BigInt(stored.batch));
    (isFresh ? fresh : others).push(event);
    if (event.at > now) {
      ahead.push({ at: event.at, event: event.id });
      return;
    }
    const { events: list, keyed, grouped } = lists.of(event);
    if (!event.history && isFresh) {
      if (keyed.length > 0) list.push(event);
      reading?.take(event, keyed.length > 0);
      for (const rule of grouped) touched.add(rule, unitOf(rule, event));
      return;
    }
    if (isFresh) reading?.take(event);
    for (const rule of [...keyed, ...grouped]) {
      const unit = unitOf(rule, event);
      if (event.history && (isSubjectOnly(rule.expectation) || rule.expectation.group))
        history.push({ rule, unit });
      else touched.add(rule, unit);
    }
  };
  for await (const some of eventsIn(events, db, window, patterns)) for (const one of some) take(one);
  const stored = await obligationsOfCases(db, [...new Set(history.flatMap(({ unit }) => unit.keys))]);
  const known = new Set(stored.map(({ rule, case_key }) => `${rule}\n${case_key}`));
  for (const { rule, unit } of history)
    if (unit.keys.some((key) => known.has(`${rule.expectation.id}\n${key}`))) touched.add(rule, unit);
  const { after, upTo } = window;
  return {
    touched,
    fresh: { after, upTo, events: fresh, others },
    events: count,
    reading,
    remember: (trx) => rememberAhead(trx, ahead),
  };
}

/** What an event touches of a rule. */
export const unitOf = (rule: Rule, event: CaseEvent): TouchedUnit => ({
  keys: rule.keysOf(event),
  at: event.at,
  onlyLater: changesOnlyLater(rule.expectation, event.type),
});

/** By type and company the events that came, and the rules that look at such and apply there. */
class Lists {
  readonly #lists = new Map<string, Map<string, List>>();
  readonly #touched: Touched;
  readonly #looking: Looking;
  readonly #applies: Applies;
  readonly #anchorsOnly: boolean;

  constructor(touched: Touched, looking: Looking, applies: Applies, anchorsOnly: boolean) {
    this.#anchorsOnly = anchorsOnly;
    this.#touched = touched;
    this.#looking = looking;
    this.#applies = applies;
  }

  of({ type, company }: CaseEvent): List {
    const companies = this.#lists.get(type) ?? new Map<string, List>();
    this.#lists.set(type, companies);
    let list = companies.get(company);
    if (!list) {
      const rules = this.#looking(type).filter((rule) => this.#applies(rule, company));
      const touches = (rule: Rule): boolean => !this.#anchorsOnly || rule.mayAnchor(type);
      const keyed = rules.filter((rule) => !rule.expectation.group && touches(rule));
      const grouped = rules.filter(({ expectation }) => expectation.group);
      list = { events: [], keyed, grouped };
      companies.set(company, list);
      for (const rule of keyed) this.#touched.addList(rule, list.events);
    }
    return list;
  }
}

interface List {
  readonly events: CaseEvent[];
  /** Rules that join by keys, and rules that group. */
  readonly keyed: readonly Rule[];
  readonly grouped: readonly Rule[];
}

const isIn = ({ after, upTo }: BatchSpan, batch: bigint): boolean => batch > after && batch <= upTo;

async function* eventsIn(
  events: Pick<FinanceEventStore, 'factsInBatches' | 'byRefs'>,
  db: Kysely<Database>,
  window: Window,
  { dataTypes, types }: Pick<GatherQuestion, 'dataTypes' | 'types'>,
): AsyncGenerator<readonly (StoredEvent & { readonly batch: string })[]> {
  const sentOn = sentOnIn(db, window);
  sentOn.catch(() => {});
  // What this process has just written is of every type.
  const rows = types ? undefined : window.rows;
  yield* events.factsInBatches(window.after, window.upTo, dataTypes, { rows, types });
  const again = await sentOn;
  if (again.length === 0) return;
  // What ClickHouse did not have has the batch of the window there, and has come already.
  yield (await events.byRefs(again)).filter(({ batch }) => !isIn(window, BigInt(batch)));
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

export interface GatheredDue {
  readonly touched: Touched;
  /** Forgets the events whose time has come, once they are judged: judged twice they do no harm. */
  forget(trx: Transaction<Database>): Promise<void>;
}

/**
 * What the passing of time touches: pending obligations whose deadline has come, indeterminate ones that their sources'
 * watermarks have reached, unanswered ones whose severity moves, and events whose time has come.
 */
export async function gatherDue(
  events: Pick<FinanceEventStore, 'byIds'>,
  db: Kysely<Database>,
  { rules, looking, streams, companyOf, since, now }: DueQuestion,
): Promise<GatheredDue> {
  const ids = rules.map(({ expectation }) => expectation.id);
  const found = [
    ...(await obligationsDue(db, ids, now)),
    ...(await obligationsToRevisit(db, ids, { since, now })),
    ...(await obligationsOfMovedClose(db, rules, { companyOf, since, now })),
  ];
  const question = { at: now, now, companyOf };
  for (const group of await indeterminateGroups(db)) {
    const rule = rules.find(({ expectation }) => expectation.id === group.rule);
    const watermark = rule && completenessOf(rule.expectation, streams, group, question).watermark;
    if (watermark !== undefined && watermark >= group.earliestDue)
      found.push(...(await indeterminateUpTo(db, group, watermark)));
  }
  const touched = touchedBy(rules, found);
  const come = await eventsCome(db, now);
  for (const stored of come.length === 0 ? [] : await events.byIds(come.map(({ event }) => event))) {
    const event = caseEventOf(stored);
    for (const rule of looking(event.type)) touched.add(rule, unitOf(rule, event));
  }
  return { touched, forget: (trx) => forgetAhead(trx, come) };
}

/** All that is open or indeterminate, in pages of 50,000. */
export async function* gatherUnanswered(
  db: Kysely<Database>,
  rules: readonly Rule[],
): AsyncGenerator<Touched> {
  const ids = rules.map(({ expectation }) => expectation.id);
  let found: readonly ToJudge[] = [];
  do {
    found = await obligationsUnanswered(db, ids, found.at(-1)?.id ?? '');
    if (found.length > 0) yield touchedBy(rules, found);
  } while (found.length > 0);
}

/** The obligations with the keys that lead to their cases. */
export function touchedBy(rules: readonly Rule[], found: readonly ToJudge[]): Touched {
  const touched = new Touched();
  const byId = new Map(rules.map((rule) => [rule.expectation.id, rule]));
  for (const { id, rule, anchor_ns, case_key } of found) {
    const known = byId.get(rule);
    if (known)
      touched.add(known, { obligation: id, keys: case_key ? [case_key] : [], at: BigInt(anchor_ns) });
  }
  return touched;
}
