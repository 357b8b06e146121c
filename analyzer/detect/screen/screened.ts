import type { Kysely } from 'kysely';
import type { Company } from '../../../model/company.ts';
import { typesOf } from '../../../model/expectation.ts';
import type { FinanceEventStore } from '../../../store/clickhouse/finance-events.ts';
import { FOREVER } from '../../../store/clickhouse/int64.ts';
import { type EventAhead, rememberAhead } from '../../../store/postgres/events-ahead.ts';
import { obligationsOfRules } from '../../../store/postgres/obligations.ts';
import type { Database } from '../../../store/postgres/schema.ts';
import { caseEventOf } from '../case-event.ts';
import { createApplies } from '../completeness.ts';
import { touchedBy } from '../gather.ts';
import type { Moment } from '../judgement.ts';
import type { PassTally } from '../pass-tally.ts';
import type { Rule } from '../rules.ts';
import { Touched } from '../touched.ts';
import { questionOf, type Screen, screenOf } from './screen.ts';

/** Join keys, of several rules, that are judged as one. */
const KEYS_A_PIECE = 20_000;

export interface ScreenedDeps {
  readonly events: Pick<FinanceEventStore, 'unanswered' | 'extent'>;
  readonly companyOf: (key: string) => Company;
  /** Is there no time left for further rules? */
  isOver(): boolean;
}

/** What is left to be judged of some rules once they are screened. */
export interface ScreenedPiece {
  readonly touched: Touched;
  /** With it all of these rules are judged. */
  readonly done: readonly Rule[];
}

interface Screened {
  readonly rule: Rule;
  readonly screen: Screen;
}

/** The rules that can be screened, and the others. */
export function screenedOf(rules: readonly Rule[]): {
  screened: readonly Screened[];
  others: readonly Rule[];
} {
  const all = rules.map((rule) => ({ rule, screen: screenOf(rule.expectation) }));
  return {
    screened: all.flatMap(({ rule, screen }) => (screen ? [{ rule, screen }] : [])),
    others: all.flatMap(({ rule, screen }) => (screen ? [] : [rule])),
  };
}

/**
 * What of the whole history has to be judged one by one under the rules: the anchors that may be unanswered, and everything that is
 * stored of them. Anchors that are answered in time leave nothing to write; the tally counts them.
 */
export async function* screenedPieces(
  { events, companyOf, isOver }: ScreenedDeps,
  screened: readonly Screened[],
  { now, streams }: Moment,
  tally: PassTally,
): AsyncGenerator<ScreenedPiece> {
  const extent = await events.extent(now);
  const applies = createApplies(streams, companyOf);
  let touched = new Touched();
  let done: Rule[] = [];
  let keys = 0;
  for (const { rule, screen } of screened) {
    if (isOver()) break;
    const companies = (extent?.companies ?? []).filter((company) => applies(rule, company));
    if (extent && companies.length > 0) {
      const question = questionOf(rule.expectation, screen, {
        companies,
        companyOf,
        first: extent.first,
        now,
      });
      let answered = 0;
      for await (const some of events.unanswered(question)) {
        answered += some.answered;
        for (const { key, at } of some.others) touched.add(rule, { keys: [key], at });
        keys += some.others.length;
      }
      tally.add(rule.expectation.id, { judged: answered, opened: 0, closed: 0 });
    }
    done.push(rule);
    if (keys < KEYS_A_PIECE) continue;
    yield { touched, done };
    [touched, done, keys] = [new Touched(), [], 0];
  }
  yield { touched, done };
}

/** All that is stored of the rules, in pages. */
export async function* storedPieces(
  db: Kysely<Database>,
  rules: readonly Rule[],
): AsyncGenerator<ScreenedPiece> {
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
