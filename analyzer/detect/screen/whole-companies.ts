import { needsAttributes, needsData, needsKeys, typesOf } from '../../../model/expectation.ts';
import type { FinanceEventStore } from '../../../store/clickhouse/finance-events.ts';
import type { GroupsQuestion } from '../../../store/clickhouse/group-queries.ts';
import { FOREVER } from '../../../store/clickhouse/int64.ts';
import { type CaseEvent, caseEventOf, inEventOrder } from '../case-event.ts';
import { casesOf } from '../cases.ts';
import type { LoadedCases } from '../load-cases.ts';
import type { ReadCases } from '../load-groups.ts';
import type { Rule } from '../rules.ts';
import type { TouchedPart } from '../touched.ts';

/** So many events of one company are held at once. */
const MOST = 250_000;

/** Can what the rules look at be read, a company at a time? */
export async function areReadable(
  events: Pick<FinanceEventStore, 'countInGroups'>,
  rules: readonly Rule[],
  companies: readonly string[],
): Promise<boolean> {
  if (rules.some(({ expectation }) => expectation.across)) return false;
  const types = [...new Set(rules.flatMap(({ expectation }) => typesOf(expectation)))];
  for (const company of companies) {
    const [count = 0] = await events.countInGroups(company, [{ types, from: -FOREVER }]);
    if (count > MOST) return false;
  }
  return true;
}

/**
 * All cases and groups of the rules in a company. Where everything is judged again each is read whole and judged once, instead of once
 * for each of the batches that touch it.
 */
export async function wholeCompany(
  events: Pick<FinanceEventStore, 'inGroups'>,
  rules: readonly Rule[],
  company: string,
  now: bigint,
): Promise<ReadCases> {
  const inOrder = (await events.inGroups(company, questionsOf(rules, now)))
    .map(caseEventOf)
    .sort(inEventOrder);
  const read = new Map(
    rules.map((rule) => {
      const own = inOrder.filter(({ type }) => rule.looksAt(type));
      const loaded = rule.expectation.group ? groupsOf(rule, own) : { cases: casesOf(rule.expectation, own) };
      return [partOf(rule, loaded.groups ?? []), loaded];
    }),
  );
  return { company, parts: [...read.keys()], of: (part) => read.get(part) ?? { cases: [] } };
}

function groupsOf(rule: Rule, events: readonly CaseEvent[]): LoadedCases {
  const groups = new Map<string, CaseEvent[]>();
  for (const event of events)
    for (const key of rule.keysOf(event)) {
      const known = groups.get(key);
      if (known) known.push(event);
      else groups.set(key, [event]);
    }
  return { groups: [...groups.keys()], cases: [...groups.values()] };
}

const EVER = { from: -FOREVER, to: FOREVER, changed: -FOREVER };

const partOf = (rule: Rule, keys: readonly string[]): TouchedPart => ({
  rule,
  events: [],
  keys,
  obligations: [],
  spans: new Map(keys.map((key) => [key, EVER])),
});

/** One question for all rules that need the same parts of events. */
function questionsOf(rules: readonly Rule[], now: bigint): GroupsQuestion[] {
  const needs = rules.map(({ expectation }) => ({
    types: typesOf(expectation),
    data: needsData(expectation),
    attributes: needsAttributes(expectation),
    keys: needsKeys(expectation),
  }));
  const alike = Map.groupBy(needs, ({ data, attributes, keys }) => `${data} ${attributes} ${keys}`);
  return [...alike.values()].map((some) => ({
    ...(some[0] as (typeof needs)[number]),
    types: [...new Set(some.flatMap(({ types }) => types))],
    from: -FOREVER,
    to: now,
    parties: [],
    periods: [],
    amounts: [],
  }));
}
