import type { Kysely, Transaction } from 'kysely';
import type { Company } from '../../model/company.ts';
import { typeMatcher } from '../../model/event-pattern.ts';
import { type Expectation, startTypesOf } from '../../model/expectation.ts';
import type { SourceStream } from '../../model/watermark.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { Logger } from '../../store/logger.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { isOfToday } from './anomaly/days.ts';
import { subjectKeyOf } from './case-event.ts';
import { companyOfCase, ruleOfCompany } from './company-rules.ts';
import { createCompleteness, isApplicable } from './completeness.ts';
import { evaluate } from './evaluators.ts';
import { GroupMemory } from './group-memory.ts';
import { lookbackOf, readGroupKey } from './groups.ts';
import { type FreshEvents, KnownEvents } from './known-events.ts';
import { type LoadedCases, loadCases, readEvents } from './load-cases.ts';
import { type GroupsOf, readGroups } from './load-groups.ts';
import type { PassTally } from './pass-tally.ts';
import {
  hasNews,
  type Judged,
  type JudgedRow,
  type Judgement,
  type Recorded,
  record,
  storedOf,
} from './record.ts';
import { dataTypesOf, type Rule } from './rules.ts';
import { StoredCases } from './stored-cases.ts';
import { type Touched, type TouchedPart, togetherUpTo } from './touched.ts';
import type { Turn } from './turn.ts';

/** Join keys of a part, which is judged and written as one: others get at the database in between. */
const KEYS_A_STEP = 4_000;
/** Join keys, of all rules together, whose events are read at once. */
const KEYS_A_READ = 40_000;

/** Obligations of different rules that are written in one transaction, about. */
const OBLIGATIONS_A_WRITE = 4_000;

interface JudgeDeps {
  readonly events: Pick<
    FinanceEventStore,
    'factsByJoinKeys' | 'refsByJoinKeys' | 'inGroups' | 'countInGroups'
  >;
  readonly rules: readonly Rule[];
  readonly db: Kysely<Database>;
  readonly companyOf: (key: string) => Company;
  readonly logger: Logger;
}

/** The instant as of which is judged, epoch nanoseconds and the same as a Date, and how complete the sources are then. */
export interface Moment {
  readonly now: bigint;
  readonly at: Date;
  readonly streams: readonly SourceStream[];
}

interface Place extends Moment {
  /** What has just been read and touches. */
  readonly fresh?: FreshEvents | undefined;
  /** The batch up to which this pass has judged, when nothing new touches. */
  readonly upTo?: bigint | undefined;
  readonly turn: Turn;
  readonly tally: PassTally;
}

/**
 * Makes the judgement of what is touched: the cases are loaded, judged as of the moment and recorded, parts of several rules
 * together. `last` runs in the last of the transactions.
 */
export function createJudge(deps: JudgeDeps) {
  const known = new KnownEvents(deps.events, dataTypesOf(deps.rules));
  const memory = new GroupMemory();
  return async (
    touched: Touched,
    { turn, tally, fresh, upTo, ...moment }: Place,
    last?: (trx: Transaction<Database>) => Promise<void>,
  ): Promise<void> => {
    const { companyOf, logger } = deps;
    if (fresh) memory.take(fresh, [...fresh.events, ...fresh.others]);
    else if (upTo !== undefined) memory.at(upTo);
    const remembered = fresh || upTo !== undefined ? memory : undefined;
    const parts = [...touched.parts(KEYS_A_STEP, moment.now)];
    for (const group of togetherUpTo(KEYS_A_READ, parts)) {
      const keys = group.flatMap((part) => (part.rule.expectation.group ? [] : part.keys));
      const cases = new StoredCases(deps.db);
      const now: TouchedPart[] = [];
      const readOfGroups = async (): Promise<GroupsOf> => {
        await cases.seek([
          ...(fresh?.events ?? []).map(subjectKeyOf),
          ...group.flatMap((part) => (part.rule.expectation.group ? part.keys : [])),
        ]);
        for (const part of group) now.push(await withoutToday(part, cases, moment.now, companyOf));
        const ofGroups = now.filter(({ rule }) => rule.expectation.group);
        return await readGroups(deps.events, ofGroups, moment.now, remembered);
      };
      const [read, groups] = await Promise.all([
        readEvents(known, deps.rules, keys, moment.now, fresh),
        readOfGroups(),
      ]);
      await cases.seek(read.found().map(subjectKeyOf));
      const judge = async (part: TouchedPart): Promise<Judgement> => {
        const { expectation } = part.rule;
        const loaded = expectation.group ? groups(part) : await loadCases(read, part.rule, part.keys);
        return judgeCases(loaded, part, moment, companyOf);
      };
      let waiting: Judged[] = [];
      const write = async (also?: typeof last): Promise<void> => {
        const together = waiting;
        waiting = [];
        const recorded = await turn.write(async (trx) => {
          const done =
            together.length === 0 ? [] : await record(trx, together, { ...moment, companyOf, logger });
          await also?.(trx);
          return done;
        });
        for (const [index, { judgement }] of together.entries()) {
          const { id } = judgement.rule.expectation;
          tally.add(id, recorded[index] as Recorded);
          cases.note(id, judgement.caseKeys);
        }
      };
      for await (const [part, judgement] of oneAhead(now, judge)) {
        const { id } = part.rule.expectation;
        // Another part of the rule may be of the same cases.
        if (waiting.some(({ judgement: { rule } }) => rule === part.rule)) await write();
        // The turn keeps others from writing obligations, and no transaction is needed where there is nothing to write.
        const stored = await storedOf(deps.db, judgement, await cases.heads(id, judgement.caseKeys));
        // What is as it should be, and was never otherwise, leaves nothing to write.
        if (stored.isAny || hasNews(judgement)) waiting.push({ judgement, stored });
        else tally.add(id, { judged: judgement.obligations.length, opened: 0, closed: 0 });
        const size = waiting.reduce((sum, one) => sum + one.judgement.obligations.length, 0);
        if (size >= OBLIGATIONS_A_WRITE) await write();
      }
      const isLast = group.at(-1) === parts.at(-1);
      if (waiting.length > 0 || (isLast && last)) await write(isLast ? last : undefined);
    }
    if (parts.length === 0 && last) await turn.write(last);
  };
}

/** The items with the results of the work on them, in their order; the work on the next one goes on while its consumer has one. */
async function* oneAhead<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<readonly [Item, Result]> {
  let ahead: Promise<Result> | undefined;
  for (const [index, item] of items.entries()) {
    const result = await (ahead ?? work(item));
    const next = items[index + 1];
    ahead = next && work(next);
    // A consumer that stops leaves it behind.
    ahead?.catch(() => {});
    yield [item, result];
  }
}

/**
 * The part without the groups of which days are judged and which only events of today touched: the day is judged when it is over,
 * which an obligation of the group that waits will tell.
 */
async function withoutToday(
  part: TouchedPart,
  cases: StoredCases,
  now: bigint,
  companyOf: (key: string) => Company,
): Promise<TouchedPart> {
  const { expectation } = part.rule;
  if (expectation.kind !== 'anomaly' || !expectation.group || part.obligations.length > 0) return part;
  const stored = new Set((await cases.heads(expectation.id, part.keys)).map(({ case_key }) => case_key));
  const reach = lookbackOf(expectation) ?? 0n;
  const keys = part.keys.filter((key) => {
    const span = part.spans.get(key);
    if (!span || !stored.has(key)) return true;
    return !isOfToday(expectation, span.from + reach, now, companyOf(readGroupKey(key).company));
  });
  return keys.length === part.keys.length ? part : { ...part, keys };
}

/** Judges the cases of a part, live. Of a group only what starts in its span is judged: the rest was not loaded whole. */
function judgeCases(
  loaded: LoadedCases,
  { rule, obligations: ids, spans }: TouchedPart,
  { now, streams }: Moment,
  companyOf: (key: string) => Company,
): Judgement {
  const complete = createCompleteness(rule.expectation, streams, { at: now, now, companyOf });
  const starts = typeMatcher(startTypesOf(rule.expectation));
  const obligations = loaded.cases.flatMap((caseEvents) => {
    if (!caseEvents.some(({ type }) => starts(type))) return [];
    const key = companyOfCase(rule.expectation, caseEvents);
    const company = companyOf(key);
    const expectation = ruleOfCompany(rule.expectation, company);
    const completeOf = (source: string) => complete(key, source);
    if (!isApplicable(expectation, streams, key)) return [];
    return evaluate(expectation, caseEvents, {
      flow: rule.flow.flow,
      at: now,
      company,
      live: true,
      complete: completeOf,
    });
  });
  if (!rule.expectation.group) return { rule, ids, obligations, ...placeOf(loaded, rule.expectation) };
  const isWithin = (key: string, at: bigint): boolean => {
    const span = spans.get(key);
    return span !== undefined && span.from <= at && at <= span.to;
  };
  return {
    rule,
    ids,
    caseKeys: loaded.keys,
    obligations: obligations.filter(({ caseKey, anchorAt }) => isWithin(caseKey, anchorAt)),
    isJudged: ({ case_key, anchor_ns }) => isWithin(case_key, BigInt(anchor_ns)),
  };
}

/** Where obligations of the cases are stored: under the subjects of the events that may be their anchors, which may have other cases as well. */
function placeOf({ cases }: LoadedCases, rule: Expectation): Pick<Judgement, 'caseKeys' | 'isJudged'> {
  const forbidden = rule.kind === 'integrity' && rule.forbid ? rule.forbid.types : [];
  const isAnchor = typeMatcher([...startTypesOf(rule), ...forbidden]);
  const caseKeys = new Set<string>();
  for (const events of cases)
    for (const event of events) if (isAnchor(event.type)) caseKeys.add(subjectKeyOf(event));
  let ids: Set<string> | undefined;
  return {
    caseKeys: [...caseKeys],
    isJudged({ source, anchor_event }: JudgedRow) {
      ids ??= new Set(cases.flat().flatMap(({ source, id }) => [`\n${id}`, `${source}\n${id}`]));
      return ids.has(`${source}\n${anchor_event}`);
    },
  };
}
