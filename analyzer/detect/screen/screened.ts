import type { Kysely } from 'kysely';
import type { Company } from '../../../model/company.ts';
import { typesOf } from '../../../model/expectation.ts';
import type { FinanceEventStore } from '../../../store/clickhouse/finance-events.ts';
import { FOREVER } from '../../../store/clickhouse/int64.ts';
import type { Unanswered } from '../../../store/clickhouse/unanswered.ts';
import { type EventAhead, rememberAhead } from '../../../store/postgres/events-ahead.ts';
import { obligationsOfRules } from '../../../store/postgres/obligations.ts';
import type { Database } from '../../../store/postgres/schema.ts';
import { caseEventOf } from '../case-event.ts';
import { createApplies } from '../completeness.ts';
import { touchedBy } from '../gather.ts';
import type { Moment } from '../judgement.ts';
import type { ReadCases } from '../load-groups.ts';
import type { PassTally } from '../pass-tally.ts';
import type { Rule } from '../rules.ts';
import { Touched } from '../touched.ts';
import { type Screen, type ScreenedStore, screenOf } from './screen.ts';
import { inStoreOrder, wholeCompanies } from './whole-companies.ts';

/** Join keys, of several rules, that are judged as one. */
export const KEYS_A_PIECE = 20_000;

/** What is left to be judged of some rules. */
export interface Piece {
  readonly touched: Touched;
  /** Cases that are judged with it. They are read in the turn that judges them: what came meanwhile is in them. */
  read?(now: bigint): Promise<ReadCases>;
  /** With it all of these rules are judged. */
  readonly done: readonly Rule[];
}

export interface Screened {
  readonly rule: Rule;
  readonly screen: Screen;
}

/** What is judged again, and as of when. */
export interface PieceDeps {
  readonly events: ScreenedStore & Pick<FinanceEventStore, 'inGroups'>;
  readonly companyOf: (key: string) => Company;
  readonly extent: { readonly companies: readonly string[]; readonly first: bigint };
  readonly moment: Moment;
  readonly tally: PassTally;
}

/** The rules that can be screened, and the others, among which are those of `never`. */
export function screenedOf(
  rules: readonly Rule[],
  never: ReadonlySet<Rule>,
): {
  readonly screened: readonly Screened[];
  readonly others: readonly Rule[];
} {
  const all = rules.map((rule) => ({
    rule,
    screen: never.has(rule) ? undefined : screenOf(rule.expectation),
  }));
  return {
    screened: all.flatMap(({ rule, screen }) => (screen ? [{ rule, screen }] : [])),
    others: all.flatMap(({ rule, screen }) => (screen ? [] : [rule])),
  };
}

/**
 * What of the whole history has to be judged one by one under the rules: the anchors that may be unanswered. Anchors that are
 * answered in time leave nothing to write; the tally counts them. All rules are screened first, for what is judged together is to lie
 * together in the store: it is cut by company. `skip` is told of a rule of which more than `most` are left, and which is not in any piece.
 */
export async function* screenedPieces(
  { events, companyOf, extent, moment, tally }: PieceDeps,
  screened: readonly Screened[],
  { isOver, most, skip }: { isOver(): boolean; most: number; skip(rule: Rule): void },
): AsyncGenerator<Piece> {
  const { now, streams } = moment;
  const applies = createApplies(streams, companyOf);
  const left = new Map<string, Left[]>();
  const done: Rule[] = [];
  for (const { rule, screen } of screened) {
    if (isOver()) break;
    const companies = extent.companies.filter((company) => applies(rule, company));
    const found: (readonly [company: string, others: readonly Unanswered[]])[] = [];
    let answered = 0;
    if (companies.length > 0) {
      const place = { companies, companyOf, first: extent.first, now };
      for await (const some of screen(events, place)) {
        answered += some.answered;
        if (some.others.length > 0) found.push([some.company, some.others]);
      }
    }
    if (found.reduce((sum, [, others]) => sum + others.length, 0) > most) {
      skip(rule);
      continue;
    }
    for (const [company, others] of found) {
      const known = left.get(company);
      if (known) known.push({ rule, others });
      else left.set(company, [{ rule, others }]);
    }
    tally.screened(rule.expectation.id, answered);
    done.push(rule);
  }
  let touched = new Touched();
  let keys = 0;
  for (const company of inStoreOrder(left.keys())) {
    for (const { rule, others } of left.get(company) ?? []) {
      for (const { key, at } of others) touched.add(rule, { keys: [key], at });
      keys += others.length;
      if (keys < KEYS_A_PIECE) continue;
      yield { touched, done: [] };
      [touched, keys] = [new Touched(), 0];
    }
  }
  if (done.length > 0) yield { touched, done };
}

/** What a screen left of a rule. */
interface Left {
  readonly rule: Rule;
  readonly others: readonly Unanswered[];
}

/** All cases of the rules, some companies at a time. */
export function* companyPieces(
  { events, companyOf, moment, tally }: PieceDeps,
  rules: readonly Rule[],
  together: readonly (readonly string[])[],
): Generator<Piece> {
  const applies = createApplies(moment.streams, companyOf);
  for (const companies of together) {
    const own = rules.filter((rule) => companies.some((company) => applies(rule, company)));
    if (own.length === 0) continue;
    yield {
      touched: new Touched(),
      done: [],
      read: (now) => wholeCompanies({ events, applies, tally }, own, companies, now),
    };
  }
  if (rules.length > 0) yield { touched: new Touched(), done: rules };
}

/** All that is stored of the rules, in pages. */
export async function* storedPieces(db: Kysely<Database>, rules: readonly Rule[]): AsyncGenerator<Piece> {
  const ids = rules.map(({ expectation }) => expectation.id);
  for (let last = ''; ; ) {
    const found = await obligationsOfRules(db, ids, last);
    const end = found.at(-1);
    if (!end) return;
    yield { touched: touchedBy(rules, found), done: [] };
    last = end.id;
  }
}

/** Remembers the events that are yet to come: a rule that is new may be the first to look at such. */
export async function rememberComing(
  { db, events }: { db: Kysely<Database>; events: Pick<FinanceEventStore, 'datedIn'> },
  rules: readonly Rule[],
  now: bigint,
): Promise<void> {
  const types = [...new Set(rules.flatMap(({ expectation }) => typesOf(expectation)))];
  const coming: EventAhead[] = [];
  for await (const event of events.datedIn({ after: now, upTo: FOREVER, types }))
    coming.push({ at: caseEventOf(event).at, event: event.id });
  await db.transaction().execute((trx) => rememberAhead(trx, coming));
}
