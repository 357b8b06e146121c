import type { Kysely, Transaction } from 'kysely';
import type { Company } from '../../model/company.ts';
import type { SourceStream } from '../../model/watermark.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { Logger } from '../../store/logger.ts';
import { keysStoredByRule } from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { isOfToday } from './anomaly/days.ts';
import { companyOfCase, ruleOfCompany } from './company-rules.ts';
import { createCompleteness, isApplicable } from './completeness.ts';
import { evaluate } from './evaluators.ts';
import { lookbackOf, readGroupKey } from './groups.ts';
import { type LoadedCases, loadCases, readEvents } from './load-cases.ts';
import { loadGroups } from './load-groups.ts';
import type { PassTally } from './pass-tally.ts';
import { hasNews, type Judgement, record } from './record.ts';
import type { Rule } from './rules.ts';
import { type Touched, type TouchedPart, togetherUpTo } from './touched.ts';
import type { Turn } from './turn.ts';

/** Join keys judged in one transaction: others get at the database in between. */
const KEYS_A_STEP = 4_000;
/** Join keys, of all rules together, whose events are read at once. */
const KEYS_A_READ = 40_000;

interface JudgeDeps {
  readonly events: Pick<FinanceEventStore, 'factsByJoinKeys' | 'inGroups'>;
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
  readonly turn: Turn;
  readonly tally: PassTally;
}

/**
 * Makes the judgement of what is touched: the cases are loaded, judged as of the moment and recorded, part by part.
 * `last` runs in the transaction of the last part, or in one of its own when there is none.
 */
export function createJudge(deps: JudgeDeps) {
  return async (
    touched: Touched,
    { turn, tally, ...moment }: Place,
    last?: (trx: Transaction<Database>) => Promise<void>,
  ): Promise<void> => {
    const { companyOf, logger } = deps;
    let lastDone = false;
    const parts = [...touched.parts(KEYS_A_STEP, moment.now)];
    for (const group of togetherUpTo(KEYS_A_READ, parts)) {
      const keys = group.flatMap((part) => (part.rule.expectation.group ? [] : part.keys));
      const read = await readEvents(deps.events, deps.rules, keys, moment.now);
      const stored = await keysStoredByRule(deps.db, [...new Set(group.flatMap((part) => part.keys))]);
      const judge = async (whole: TouchedPart): Promise<JudgedPart> => {
        const part = withoutToday(whole, stored.get(whole.rule.expectation.id), moment.now, companyOf);
        const loaded = part.rule.expectation.group
          ? await loadGroups(deps.events, part, moment.now)
          : await loadCases(read, part.rule, part.keys);
        return { whole, part, loaded, judgement: judgeCases(loaded, part, moment, companyOf) };
      };
      for await (const { whole, part, loaded, judgement } of oneAhead(group, judge)) {
        const { id } = part.rule.expectation;
        const isStored = isAnyStored(stored.get(id), part, loaded);
        lastDone = whole === parts.at(-1) && last !== undefined;
        // What is as it should be, and was never otherwise, leaves nothing to write.
        if (!isStored && !lastDone && !hasNews(judgement)) {
          tally.add(id, { judged: judgement.obligations.length, opened: 0, closed: 0 });
          continue;
        }
        await turn.write(async (trx) => {
          const recorded = await record(trx, judgement, { ...moment, companyOf, logger, isStored });
          tally.add(id, recorded);
          if (lastDone) await last?.(trx);
        });
        remember(stored, id, judgement);
      }
    }
    if (!lastDone && last) await turn.write(last);
  };
}

interface JudgedPart {
  /** As it was touched, and what of it is judged now. */
  readonly whole: TouchedPart;
  readonly part: TouchedPart;
  readonly loaded: LoadedCases;
  readonly judgement: Judgement;
}

/** The results of the work on the items, in their order; the work on the next one goes on while its consumer has one. */
async function* oneAhead<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  let ahead: Promise<Result> | undefined;
  for (const [index, item] of items.entries()) {
    const result = await (ahead ?? work(item));
    const next = items[index + 1];
    ahead = next && work(next);
    // A consumer that stops leaves it behind.
    ahead?.catch(() => {});
    yield result;
  }
}

/**
 * The part without the groups of which days are judged and which only events of today touched: the day is judged when it is over,
 * which an obligation of the group that waits will tell.
 */
function withoutToday(
  part: TouchedPart,
  stored: ReadonlySet<string> | undefined,
  now: bigint,
  companyOf: (key: string) => Company,
): TouchedPart {
  const { expectation } = part.rule;
  if (expectation.kind !== 'anomaly' || !expectation.group || part.obligations.length > 0 || !stored)
    return part;
  const reach = lookbackOf(expectation) ?? 0n;
  const keys = part.keys.filter((key) => {
    const span = part.spans.get(key);
    if (!span || !stored.has(key)) return true;
    return !isOfToday(expectation, span.from + reach, now, companyOf(readGroupKey(key).company));
  });
  return keys.length === part.keys.length ? part : { ...part, keys };
}

/** May an obligation of the rule be stored that the part touches? What else its cases brought in was not asked for, and may. */
function isAnyStored(keys: ReadonlySet<string> | undefined, part: TouchedPart, loaded: LoadedCases): boolean {
  if (part.obligations.length > 0 || loaded.keys.length > part.keys.length) return true;
  return keys !== undefined && part.keys.some((key) => keys.has(key));
}

/** Notes the keys of what was written just now. */
function remember(stored: Map<string, Set<string>>, rule: string, { obligations }: Judgement): void {
  const keys = stored.get(rule) ?? new Set<string>();
  for (const { joinKeys } of obligations) for (const key of joinKeys) keys.add(key);
  stored.set(rule, keys);
}

/** Judges the cases of a part, live. Of a group only what starts in its span is judged: the rest was not loaded whole. */
function judgeCases(
  loaded: LoadedCases,
  { rule, obligations: ids, spans }: TouchedPart,
  { now, streams }: Moment,
  companyOf: (key: string) => Company,
): Judgement {
  const complete = createCompleteness(rule.expectation, streams, { at: now, now, companyOf });
  const obligations = loaded.cases.flatMap((caseEvents) => {
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
  if (!rule.expectation.group) return { rule, ids, keys: loaded.keys, obligations };
  const isJudged = (key: string | undefined, at: bigint): boolean => {
    const span = key === undefined ? undefined : spans.get(key);
    return span !== undefined && span.from <= at && at <= span.to;
  };
  const within = obligations.filter(({ joinKeys, anchorAt }) => isJudged(joinKeys[0], anchorAt));
  return { rule, ids, keys: loaded.keys, obligations: within, isJudged };
}
