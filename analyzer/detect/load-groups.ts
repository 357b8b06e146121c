import { needsData, typesOf } from '../../model/expectation.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { type CaseEvent, caseEventOf } from './case-event.ts';
import { casesOf } from './cases.ts';
import { groupKeyOf, lookbackOf, readGroupKey } from './groups.ts';
import type { LoadedCases } from './load-cases.ts';
import type { Span, TouchedPart } from './touched.ts';

type GroupReader = Pick<FinanceEventStore, 'inGroups'>;

/**
 * Loads of each group what lies within the rule's lookback of what is to be judged, up to `at`: one reading a company, by
 * time, whatever the history.
 */
export async function loadGroups(
  events: GroupReader,
  { rule, keys, spans }: TouchedPart,
  at: bigint,
): Promise<LoadedCases> {
  const { expectation } = rule;
  const reach = lookbackOf(expectation) ?? 0n;
  const cases: (readonly CaseEvent[])[] = [];
  const companies = Map.groupBy(
    keys.map((key) => ({ key, ...readGroupKey(key) })),
    ({ company }) => company,
  );
  for (const [company, groups] of companies) {
    const wanted = spanOf(groups.flatMap(({ key }) => spans.get(key) ?? []));
    if (!wanted) continue;
    const to = wanted.to + reach;
    const stored = await events.inGroups({
      company,
      types: typesOf(expectation),
      from: wanted.from - reach,
      to: to < at ? to : at,
      data: needsData(expectation),
      ...fieldsOf(expectation.group ?? [], groups),
    });
    const asked = new Set(groups.map(({ key }) => key));
    for (const found of casesOf(expectation, stored.map(caseEventOf)))
      if (found[0] && asked.has(keyOf(expectation, found[0]))) cases.push(found);
  }
  return { cases, keys };
}

const keyOf = (rule: Parameters<typeof casesOf>[0], event: CaseEvent): string =>
  groupKeyOf(rule, event)[0] ?? '';

const spanOf = (spans: readonly Span[]): Span | undefined =>
  spans.length === 0
    ? undefined
    : spans.reduce((all, { from, to }) => ({
        from: from < all.from ? from : all.from,
        to: to > all.to ? to : all.to,
      }));

/** What of the groups the store can select by; the rest is sorted out afterwards. */
function fieldsOf(fields: readonly string[], groups: readonly { values: readonly string[] }[]) {
  const valuesOf = (field: string): string[] => {
    const index = fields.indexOf(field);
    return index < 0 ? [] : [...new Set(groups.flatMap(({ values }) => values[index] ?? []))];
  };
  const attribute = fields.find((field) => field.startsWith('attribute.'));
  return {
    parties: valuesOf('party'),
    periods: valuesOf('period'),
    amounts: valuesOf('amount'),
    attribute: attribute
      ? { name: attribute.slice('attribute.'.length), values: valuesOf(attribute) }
      : undefined,
  };
}
