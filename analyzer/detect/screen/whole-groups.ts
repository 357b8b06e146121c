import { needsAttributes, needsData, needsKeys, typesOf } from '../../../model/expectation.ts';
import type { FinanceEventStore } from '../../../store/clickhouse/finance-events.ts';
import type { GroupsQuestion } from '../../../store/clickhouse/group-queries.ts';
import { FOREVER } from '../../../store/clickhouse/int64.ts';
import { type CaseEvent, caseEventOf, inEventOrder } from '../case-event.ts';
import type { ReadGroups } from '../load-groups.ts';
import type { Rule } from '../rules.ts';
import type { TouchedPart } from '../touched.ts';

/** So many events of one company are held at once. */
const MOST = 400_000;
/** Rules whose groups are read together: so many questions are asked at once. */
export const RULES_A_READING = 40;

/** Can all groups of the rules be read, a company at a time? */
export async function areReadable(
  events: Pick<FinanceEventStore, 'countInGroups'>,
  rules: readonly Rule[],
  companies: readonly string[],
): Promise<boolean> {
  const questions = [
    { types: [...new Set(rules.flatMap(({ expectation }) => typesOf(expectation)))], from: 0n },
  ];
  for (const company of companies)
    if (((await events.countInGroups(company, questions))[0] ?? 0) > MOST) return false;
  return true;
}

/**
 * All groups of the rules in a company: where everything is judged again each group is read whole and judged once, instead of
 * once for each of the batches that touch it.
 */
export async function wholeGroups(
  events: Pick<FinanceEventStore, 'inGroups'>,
  rules: readonly Rule[],
  company: string,
  now: bigint,
): Promise<ReadGroups> {
  const questions = rules.map((rule) => questionOf(rule, now));
  const inOrder = (await events.inGroups(company, questions)).map(caseEventOf).sort(inEventOrder);
  const read = new Map(rules.map((rule) => groupsOf(rule, inOrder)));
  return {
    parts: [...read.keys()],
    of(part) {
      const groups = read.get(part) ?? new Map<string, readonly CaseEvent[]>();
      return { groups: [...groups.keys()], cases: [...groups.values()] };
    },
  };
}

function groupsOf(
  rule: Rule,
  events: readonly CaseEvent[],
): [TouchedPart, ReadonlyMap<string, readonly CaseEvent[]>] {
  const groups = new Map<string, CaseEvent[]>();
  for (const event of events) {
    if (!rule.looksAt(event.type)) continue;
    for (const key of rule.keysOf(event)) {
      const known = groups.get(key);
      if (known) known.push(event);
      else groups.set(key, [event]);
    }
  }
  const keys = [...groups.keys()];
  const spans = new Map(keys.map((key) => [key, EVER]));
  return [{ rule, events: [], keys, obligations: [], spans }, groups];
}

const EVER = { from: -FOREVER, to: FOREVER, changed: -FOREVER };

const questionOf = ({ expectation }: Rule, now: bigint): GroupsQuestion => ({
  types: typesOf(expectation),
  from: -FOREVER,
  to: now,
  parties: [],
  periods: [],
  amounts: [],
  data: needsData(expectation),
  attributes: needsAttributes(expectation),
  keys: needsKeys(expectation),
});
