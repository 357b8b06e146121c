import { typeMatcher } from '../../model/event-pattern.ts';
import { needsAttributes, needsData, needsKeys, typesOf } from '../../model/expectation.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { GroupsQuestion } from '../../store/clickhouse/group-queries.ts';
import { FOREVER } from '../../store/clickhouse/int64.ts';
import { type CaseEvent, caseEventOf, inEventOrder } from './case-event.ts';
import { type GroupMemory, slackOf } from './group-memory.ts';
import { lookbackOf, readGroupKey } from './groups.ts';
import type { LoadedCases } from './load-cases.ts';
import type { Span, TouchedPart } from './touched.ts';

type GroupReader = Pick<FinanceEventStore, 'inGroups' | 'countInGroups'>;

/** The groups of a part, loaded. */
export type GroupsOf = (part: TouchedPart) => LoadedCases;

/** Groups, or other cases, that are read, each part of one rule. */
export interface ReadCases {
  /** The companies whose cases they are. */
  readonly companies: readonly string[];
  readonly parts: readonly TouchedPart[];
  readonly of: GroupsOf;
}

/** So many questions at most are asked at once. */
const QUESTIONS = 40;

/**
 * Loads of each group what lies within its rule's lookback of what is to be judged, up to `at`: what is remembered costs nothing; the
 * rest is read by time, once a company for all parts together. Without a memory, or beyond it, whatever is asked for is read.
 */
export async function readGroups(
  events: GroupReader,
  parts: readonly TouchedPart[],
  at: bigint,
  memory?: GroupMemory,
): Promise<GroupsOf> {
  const asked = parts.flatMap((part) => questionsOf(part, at));
  const read = new Map<Asked, ReadonlyMap<string, readonly CaseEvent[]>>();
  const isHeld = ({ part, company, question }: Asked): boolean =>
    memory?.holds(part.rule, company, question.from) ?? false;
  const ofCompany = async (company: string, all: readonly Asked[]): Promise<void> => {
    // Taken at once: what is remembered anew may push it out.
    const missing: Asked[] = [];
    for (const one of all) {
      if (isHeld(one))
        read.set(one, memory?.get(one.part.rule, company, one.keys, one.question) ?? new Map());
      else missing.push(one);
    }
    for (let from = 0; from < missing.length; from += QUESTIONS) {
      const some = missing.slice(from, from + QUESTIONS);
      const whole = memory ? await wholeOf(events, company, some, memory) : new Map<Asked, GroupsQuestion>();
      const questions = some.map((one) => whole.get(one) ?? one.question);
      const found = await events.inGroups([company], questions, caseEventOf);
      for (const [index, one] of some.entries()) {
        const own = found.filter(isAskedBy(questions[index] as GroupsQuestion));
        if (whole.has(one))
          memory?.remember(one.part.rule, company, (questions[index] as GroupsQuestion).from, own);
        read.set(one, byGroup(one, own.filter(isAskedBy(one.question))));
      }
    }
  };
  const companies = Map.groupBy(asked, (one) => one.company);
  await Promise.all([...companies].map(([company, all]) => ofCompany(company, all)));
  return (part) => {
    const found = asked.flatMap((one) => (one.part === part ? [...(read.get(one) ?? [])] : []));
    const some = found.filter(([, events]) => events.length > 0);
    return { groups: some.map(([key]) => key), cases: some.map(([, events]) => events) };
  };
}

/** The events of the groups that are asked for, each group's in their order. */
function byGroup({ part, keys }: Asked, events: readonly CaseEvent[]): Map<string, CaseEvent[]> {
  const groups = new Map<string, CaseEvent[]>(keys.map((key) => [key, []]));
  for (const event of events) for (const key of part.rule.keysOf(event)) groups.get(key)?.push(event);
  for (const group of groups.values()) group.sort(inEventOrder);
  return groups;
}

/** Of those whose whole rule in the company is little enough to be remembered, the question for all of it. */
async function wholeOf(
  events: GroupReader,
  company: string,
  asked: readonly Asked[],
  memory: GroupMemory,
): Promise<Map<Asked, GroupsQuestion>> {
  const questions = asked.map(({ part, question }) => ({
    ...question,
    ...ANYTHING,
    from: question.from - slackOf(part.rule),
    to: FOREVER,
  }));
  const counts = await events.countInGroups(company, questions);
  return new Map(
    asked.flatMap((one, index): [Asked, GroupsQuestion][] =>
      (counts[index] ?? 0) <= memory.mostOfOne ? [[one, questions[index] as GroupsQuestion]] : [],
    ),
  );
}

const ANYTHING = { parties: [], periods: [], amounts: [], attribute: undefined } as const;

interface Asked {
  readonly part: TouchedPart;
  readonly company: string;
  readonly keys: readonly string[];
  readonly question: GroupsQuestion;
}

function questionsOf(part: TouchedPart, at: bigint): Asked[] {
  const { expectation } = part.rule;
  const reach = lookbackOf(expectation) ?? 0n;
  const groups = part.keys.map((key) => ({ key, ...readGroupKey(key) }));
  return [...Map.groupBy(groups, ({ company }) => company)].flatMap(([company, ofCompany]) => {
    const wanted = unionOf(ofCompany.flatMap(({ key }) => part.spans.get(key) ?? []));
    if (!wanted) return [];
    const to = wanted.to + reach;
    const question = {
      types: typesOf(expectation),
      from: wanted.from - reach,
      to: to < at ? to : at,
      data: needsData(expectation),
      attributes: needsAttributes(expectation),
      keys: needsKeys(expectation),
      ...fieldsOf(expectation.group ?? [], ofCompany),
    };
    return [{ part, company, keys: ofCompany.map(({ key }) => key), question }];
  });
}

/** The test whether an event that was read for several questions may belong to this one; its groups are told apart afterwards. */
function isAskedBy({ types, from, to }: GroupsQuestion): (event: CaseEvent) => boolean {
  const matches = typeMatcher(types);
  return (event) => matches(event.type) && from <= event.at && event.at <= to;
}

const unionOf = (spans: readonly Pick<Span, 'from' | 'to'>[]): Pick<Span, 'from' | 'to'> | undefined =>
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
