import { z } from 'zod';
import type { ClickHouse } from './client.ts';
import { ofTypes, typesParams } from './event-types.ts';
import { type EventFacts, factsColumns, factsOf, factsTuple } from './finance-event-rows.ts';
import { int64 } from './int64.ts';
import { defineQuery, type NamedQuery } from './query.ts';

/** Events of the type patterns in a span of time that have one of the values of each field; an empty list asks nothing of its field. */
export interface GroupsQuestion {
  readonly types: readonly string[];
  /** Epoch nanoseconds, both inclusive. */
  readonly from: bigint;
  readonly to: bigint;
  readonly parties: readonly string[];
  readonly periods: readonly string[];
  /** Decimal texts; equal by value. */
  readonly amounts: readonly string[];
  readonly attribute?: { readonly name: string; readonly values: readonly string[] } | undefined;
  /** With their payload, their attributes, their keys? */
  readonly data: boolean;
  readonly attributes: boolean;
  readonly keys: boolean;
}

const texts = z.array(z.string());
const params = z.record(z.string(), z.union([z.string(), texts]));
type Params = z.infer<typeof params>;

/**
 * The query for so many questions about groups of some companies: the table is read once for all of them. The payload, the attributes and
 * the keys are given out only of the types that somebody needs them of.
 */
function groupsQuery(questions: number): NamedQuery<Params, GroupsRow> {
  const known = GROUPS_QUERIES.get(questions);
  if (known) return known;
  const asked = Array.from(
    { length: questions },
    (_, i) => `(${ofTypes(`types${i}`)}
      AND Time >= fromUnixTimestamp64Nano({from${i}:Int64}, 'UTC') AND Time <= fromUnixTimestamp64Nano({to${i}:Int64}, 'UTC')
      AND (empty({parties${i}:Array(String)}) OR PartyKey IN {parties${i}:Array(String)})
      AND (empty({periods${i}:Array(String)}) OR Period IN {periods${i}:Array(String)})
      AND (empty({amounts${i}:Array(String)})
        OR Amount IN (SELECT toDecimal128(arrayJoin({amounts${i}:Array(String)}), 18)))
      AND (empty({attribute${i}:String}) OR Attributes[{attribute${i}:String}] IN {values${i}:Array(String)}))`,
  );
  const columns = factsColumns({
    data: `if(${ofTypes('dataTypes')}, Data, '')`,
    attributes: `if(${ofTypes('attributeTypes')}, Attributes, map())`,
    keyTypes: `if(${ofTypes('keyTypes')}, KeyTypes, [])`,
    keyValues: `if(${ofTypes('keyTypes')}, KeyValues, [])`,
  });
  const made = defineQuery({
    name: 'finance_events.in_groups',
    sql: `SELECT ${columns} FROM finance_events WHERE Company IN {companies:Array(String)} AND (${asked.join(' OR ')})`,
    params,
    row: factsTuple,
  });
  GROUPS_QUERIES.set(questions, made);
  return made;
}

/** The query that counts the events of so many types since an instant each. */
function countQuery(questions: number): NamedQuery<Params, { counts: string[] }> {
  const known = COUNT_QUERIES.get(questions);
  if (known) return known;
  const counts = Array.from(
    { length: questions },
    (_, i) =>
      `toString(countIf(${ofTypes(`types${i}`)} AND Time >= fromUnixTimestamp64Nano({from${i}:Int64}, 'UTC')))`,
  );
  const made = defineQuery({
    name: 'finance_events.count_in_groups',
    sql: `SELECT [${counts.join(', ')}] AS counts FROM finance_events WHERE Company = {company:String}`,
    params,
    row: z.object({ counts: texts }),
  });
  COUNT_QUERIES.set(questions, made);
  return made;
}

const COUNT_QUERIES = new Map<number, NamedQuery<Params, { counts: string[] }>>();
type GroupsRow = z.infer<typeof factsTuple>;
const GROUPS_QUERIES = new Map<number, NamedQuery<Params, GroupsRow>>();

/** See `FinanceEventStore.inGroups`. */
export async function eventsInGroups<Made>(
  clickhouse: Pick<ClickHouse, 'tuples'>,
  companies: readonly string[],
  questions: readonly GroupsQuestion[],
  make: (facts: EventFacts) => Made,
): Promise<Made[]> {
  const typesNeeding = (part: 'data' | 'attributes' | 'keys'): string[] =>
    questions.flatMap((question) => (question[part] ? question.types : []));
  const given: Params = {
    companies: [...companies],
    ...typesParams('dataTypes', typesNeeding('data')),
    ...typesParams('attributeTypes', typesNeeding('attributes')),
    ...typesParams('keyTypes', typesNeeding('keys')),
  };
  for (const [i, { attribute, ...question }] of questions.entries()) {
    Object.assign(given, typesParams(`types${i}`, question.types));
    given[`from${i}`] = int64(question.from);
    given[`to${i}`] = int64(question.to);
    given[`parties${i}`] = [...question.parties];
    given[`periods${i}`] = [...question.periods];
    given[`amounts${i}`] = [...question.amounts];
    given[`attribute${i}`] = attribute?.name ?? '';
    given[`values${i}`] = [...(attribute?.values ?? [])];
  }
  const found: Made[] = [];
  for await (const rows of clickhouse.tuples(groupsQuery(questions.length), given))
    for (const row of rows) found.push(make(factsOf(row)));
  return found;
}

/** See `FinanceEventStore.countInGroups`. */
export async function countInGroups(
  clickhouse: Pick<ClickHouse, 'query'>,
  company: string,
  questions: readonly Pick<GroupsQuestion, 'types' | 'from'>[],
): Promise<number[]> {
  const given: Params = { company };
  for (const [i, { types, from }] of questions.entries()) {
    Object.assign(given, typesParams(`types${i}`, types));
    given[`from${i}`] = int64(from);
  }
  const [row] = await clickhouse.query(countQuery(questions.length), given);
  return (row?.counts ?? []).map(Number);
}
