import { needsAttributes, needsData, needsKeys, typesOf } from '../../../model/expectation.ts';
import type { FinanceEventStore } from '../../../store/clickhouse/finance-events.ts';
import type { GroupsQuestion } from '../../../store/clickhouse/group-queries.ts';
import { FOREVER } from '../../../store/clickhouse/int64.ts';
import { type CaseEvent, caseEventOf, inEventOrder, isSameSubject } from '../case-event.ts';
import { casesOf } from '../cases.ts';
import type { Applies } from '../gather.ts';
import type { ReadCases } from '../load-groups.ts';
import type { PassTally } from '../pass-tally.ts';
import type { Rule } from '../rules.ts';
import type { TouchedPart } from '../touched.ts';

/** So many events are held at once. */
const MOST = 250_000;

/**
 * The companies in which what the rules look at can be read, each time some that lie side by side in the store, so that little is read in
 * vain; undefined when one of them has too much, or a rule reaches across companies.
 */
export async function readTogether(
  events: Pick<FinanceEventStore, 'countByCompany'>,
  rules: readonly Rule[],
): Promise<string[][] | undefined> {
  if (rules.some(({ expectation }) => expectation.across)) return undefined;
  const types = [...new Set(rules.flatMap(({ expectation }) => typesOf(expectation)))];
  const together: string[][] = [];
  let sum = MOST;
  const sizes = await events.countByCompany(types);
  for (const company of inStoreOrder(sizes.keys())) {
    const size = sizes.get(company) ?? 0;
    if (size > MOST) return undefined;
    sum += size;
    if (sum > MOST) {
      together.push([]);
      sum = size;
    }
    together.at(-1)?.push(company);
  }
  return together;
}

/** Companies in the order in which their events lie in the store: that of their bytes. */
export const inStoreOrder = (companies: Iterable<string>): string[] =>
  [...companies].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

interface WholeDeps {
  readonly events: Pick<FinanceEventStore, 'inGroups'>;
  readonly applies: Applies;
  readonly tally: PassTally;
}

/**
 * All cases and groups of the rules in some companies. Where everything is judged again each is read whole and judged once, instead of
 * once for each of the batches that touch it.
 */
export async function wholeCompanies(
  { events, applies, tally }: WholeDeps,
  rules: readonly Rule[],
  companies: readonly string[],
  now: bigint,
): Promise<ReadCases> {
  const found = await events.inGroups(companies, questionsOf(rules, now), caseEventOf);
  const ofCompanies = [...Map.groupBy(found, ({ company }) => company)].map(
    ([company, own]) => [company, own.sort(inEventOrder)] as const,
  );
  const read = new Map(
    rules.map((rule) => {
      const groups: string[] = [];
      const cases: (readonly CaseEvent[])[] = [];
      for (const [company, inOrder] of ofCompanies) {
        if (!applies(rule, company)) continue;
        const own = inOrder.filter(({ type }) => rule.looksAt(type));
        if (!rule.expectation.group) for (const one of casesOf(rule.expectation, own)) cases.push(one);
        else
          for (const [key, group] of groupsOf(rule, own)) {
            if (isAlone(rule, group)) {
              tally.screened(rule.expectation.id, 1);
              continue;
            }
            groups.push(key);
            cases.push(group);
          }
      }
      return [partOf(rule, groups), rule.expectation.group ? { groups, cases } : { cases }] as const;
    }),
  );
  return { companies, parts: [...read.keys()], of: (part) => read.get(part) ?? { cases: [] } };
}

function groupsOf(rule: Rule, events: readonly CaseEvent[]): Map<string, CaseEvent[]> {
  const groups = new Map<string, CaseEvent[]>();
  for (const event of events)
    for (const key of rule.keysOf(event)) {
      const known = groups.get(key);
      if (known) known.push(event);
      else groups.set(key, [event]);
    }
  return groups;
}

/** Is it looked for what is repeated, where there is one subject alone? */
function isAlone({ expectation }: Rule, group: readonly CaseEvent[]): boolean {
  const [first] = group;
  return (
    expectation.kind === 'no-duplicate' &&
    first !== undefined &&
    group.every((event) => isSameSubject(event, first))
  );
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
