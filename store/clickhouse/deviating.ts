import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ClickHouse } from './client.ts';
import { ofTypes, typesParams, typesShape } from './event-types.ts';
import { int64 } from './int64.ts';
import { chunksOf } from './param-chunks.ts';
import { defineQuery, type NamedQuery } from './query.ts';
import {
  type AnchorCondition,
  conditionParams,
  conditionSql,
  PORTIONS,
  portion,
  type ScreenedAnchors,
} from './unanswered.ts';

/** Which events are not alike where they must be: screens over the whole history, in the engine. What they leave out is in order. */

/** Columns in which events can be compared, as rules name them. */
const COLUMNS = {
  source: 'Source',
  subject: 'Subject',
  docnumber: 'DocNumber',
  state: 'State',
  period: 'Period',
  party: 'PartyKey',
  amount: 'AmountText',
  currency: 'Currency',
  companyamount: 'CompanyAmountText',
  actor: 'ActorId',
} as const;
type ColumnField = keyof typeof COLUMNS;

const ATTRIBUTE = 'attribute.';

/** Can the engine compare events in this field? */
export const isComparable = (field: string): boolean => field in COLUMNS || field.startsWith(ATTRIBUTE);

/** Events of some types at some companies. */
export interface TypesQuestion {
  readonly companies: readonly string[];
  /** Epoch nanoseconds: later events are left out. */
  readonly asOf: bigint;
  /** Type patterns. */
  readonly types: readonly string[];
}

export interface DeviatingQuestion extends TypesQuestion {
  /** Key types that join the events; `subject` alone, or others. */
  readonly by: readonly string[];
  readonly conditions: readonly AnchorCondition[];
  /** In each of these fields all events with a key must have one and the same text, or all none. */
  readonly fields: readonly string[];
}

export interface TotalsQuestion extends TypesQuestion {
  /** The field of the lines that is summed. */
  readonly line: string;
  readonly equals: 'amount' | 'companyamount';
}

const texts = z.array(z.string());
const shape = {
  ...typesShape('types'),
  companies: texts,
  asOf: z.string().regex(/^-?\d+$/),
};
const placed = z.object(shape).catchall(z.union([z.string(), texts]));
type Params = z.infer<typeof placed>;
type PortionRow = z.infer<typeof portion>;

const IN_PLACE = `PREWHERE ${ofTypes('types')} AND Company IN {companies:Array(String)}
  WHERE Time <= fromUnixTimestamp64Nano({asOf:Int64}, 'UTC')`;
/** The join key of an event's subject is its first. */
const SUBJECT_KEY = 'JoinKeys[1]';

/** How many are in order, and the keys and instants of the others, in portions. */
const portioned = (rows: string): string => `SELECT place, toUInt32(countIf(isSure)),
  groupArrayIf(lead, NOT isSure), groupArrayIf(toString(start), NOT isSure)
  FROM (${rows}) GROUP BY place, cityHash64(lead) % ${PORTIONS}`;

function deviatingQuery({ by, conditions, fields }: DeviatingQuestion): NamedQuery<Params, PortionRow> {
  const values = fields.map((field, i) => `${comparedIn(field, i)} AS v${i}`);
  const isSame = fields.map((_, i) => `min(v${i}) = max(v${i})`).join(' AND ');
  const tests = conditions.map((one, i) => `AND ${conditionSql(one, i)}`).join(' ');
  const isSubject = by.length === 1 && by[0] === 'subject';
  const key = isSubject
    ? SUBJECT_KEY
    : "arrayJoin(arrayFilter(x -> substring(x, 1, position(x, ':') - 1) IN {by:Array(String)}, JoinKeys))";
  return defineQuery({
    name: 'finance_events.deviating',
    sql: portioned(`SELECT any(Company) AS place, any(key) AS lead, min(t) AS start, ${isSame} AS isSure
      FROM (SELECT ${key} AS key, Company, toUnixTimestamp64Nano(Time) AS t, ${values.join(', ')}
        FROM finance_events ${IN_PLACE} ${tests})
      GROUP BY sipHash64Keyed(({secret0:UInt64}, {secret1:UInt64}), key, Company)`),
    params: placed,
    row: portion,
  });
}

const comparedIn = (field: string, i: number): string =>
  field.startsWith(ATTRIBUTE) ? `Attributes[{compared${i}:String}]` : COLUMNS[field as ColumnField];

/** Numbers of JSON as short as they are exact, and decimal text that cannot overflow a sum: anything else is given out. */
const NUMBER = '^(?:-?[0-9]{1,9}(?:[.][0-9]{1,5})?|"-?[0-9]{1,15}(?:[.][0-9]{1,18})?")$';
const AMOUNTS = `arrayMap(line -> JSONExtractRaw(line, {line:String}), JSONExtractArrayRaw(Data, 'lines'))`;
const SUM = `arraySum(text -> toDecimal128OrZero(trim(BOTH '"' FROM text), 18), amounts)`;

const totalsQuery = (column: string): NamedQuery<Params, PortionRow> =>
  defineQuery({
    name: 'finance_events.unequal_totals',
    sql: portioned(`SELECT Company AS place, ${SUBJECT_KEY} AS lead, toUnixTimestamp64Nano(Time) AS start,
      empty(amounts) OR ifNull(arrayAll(text -> match(text, '${NUMBER}'), amounts) AND ${SUM} = ${column}, 0) AS isSure
      FROM (SELECT Company, JoinKeys, Time, ${column}, ${AMOUNTS} AS amounts FROM finance_events ${IN_PLACE})`),
    params: placed,
    row: portion,
  });
const TOTALS = { amount: totalsQuery('Amount'), companyamount: totalsQuery('CompanyAmount') } as const;

const ofTypesAlone: NamedQuery<Params, PortionRow> = defineQuery({
  name: 'finance_events.of_types',
  sql: portioned(
    `SELECT Company AS place, ${SUBJECT_KEY} AS lead, toUnixTimestamp64Nano(Time) AS start, 0 AS isSure FROM finance_events ${IN_PLACE}`,
  ),
  params: placed,
  row: portion,
});

async function* asked(
  clickhouse: Pick<ClickHouse, 'tuples'>,
  query: NamedQuery<Params, PortionRow>,
  { types, asOf, companies }: TypesQuestion,
  more: Record<string, string | string[]> = {},
): AsyncGenerator<ScreenedAnchors> {
  for (const some of chunksOf(companies)) {
    const params = { ...typesParams('types', types), asOf: int64(asOf), companies: some, ...more };
    for await (const rows of clickhouse.tuples(query, params))
      for (const [company, answered, keys, firsts] of rows)
        yield { company, answered, others: keys.map((key, i) => ({ key, at: BigInt(firsts[i] as string) })) };
  }
}

/** See `FinanceEventStore.deviating`. */
export function deviating(
  clickhouse: Pick<ClickHouse, 'tuples'>,
  question: DeviatingQuestion,
): AsyncGenerator<ScreenedAnchors> {
  const secret = randomBytes(16);
  const compared = question.fields.flatMap((field, i): [string, string][] =>
    field.startsWith(ATTRIBUTE) ? [[`compared${i}`, field.slice(ATTRIBUTE.length)]] : [],
  );
  return asked(clickhouse, deviatingQuery(question), question, {
    by: [...question.by],
    secret0: `${secret.readBigUInt64LE(0)}`,
    secret1: `${secret.readBigUInt64LE(8)}`,
    ...conditionParams(question.conditions),
    ...Object.fromEntries(compared),
  });
}

/** See `FinanceEventStore.unequalTotals`. */
export const unequalTotals = (
  clickhouse: Pick<ClickHouse, 'tuples'>,
  question: TotalsQuestion,
): AsyncGenerator<ScreenedAnchors> =>
  asked(clickhouse, TOTALS[question.equals], question, { line: question.line });

/** See `FinanceEventStore.ofTypes`. */
export const eventsOfTypes = (
  clickhouse: Pick<ClickHouse, 'tuples'>,
  question: TypesQuestion,
): AsyncGenerator<ScreenedAnchors> => asked(clickhouse, ofTypesAlone, question);
