import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ClickHouse } from './client.ts';
import { ofTypes, typesParams, typesRegex, typesShape } from './event-types.ts';
import { int64 } from './int64.ts';
import { chunksOf } from './param-chunks.ts';
import { defineQuery, type NamedQuery } from './query.ts';

/**
 * Which events of some types are not surely answered: a screen over the whole history, in the engine, before anything is judged one by
 * one. What it leaves out is answered in time; what it gives out may be.
 */

/** A condition on the starting events that the engine can test: on their source, or on an attribute. */
export interface AnchorCondition {
  /** The attribute; undefined: the source. */
  readonly attribute?: string | undefined;
  /** Must it be one of the texts and globs (`*` = any text), none of them, or must there be a value at all? */
  readonly must: 'one-of' | 'none-of' | 'exist' | 'lack';
  readonly values: readonly string[];
}

/** How long an answer may surely take, by the hour in which something starts, in quarters of an hour: rounded down, each calendar's after the one before. */
export interface AllowanceTable {
  /** The first hour, in hours since 1970. */
  readonly firstHour: number;
  /** Hours that each calendar has. */
  readonly hours: number;
  readonly quarters: readonly number[];
}

export interface UnansweredQuestion {
  /** Key types that join the events. An anchor that has none of them is given out. */
  readonly by: readonly string[];
  /** Does every anchor have one of them? What has none is no anchor then. */
  readonly keyed: boolean;
  /** Are events of different companies joined? */
  readonly across: boolean;
  /** Type patterns. */
  readonly anchors: readonly string[];
  readonly conditions: readonly AnchorCondition[];
  /** Type patterns: no event that matches them and is not an answer may be of such a type. */
  readonly answers: readonly string[];
  /** Must an answer come after its anchor, before it, or does either do? */
  readonly when: 'after' | 'before' | 'ever';
  /** Epoch nanoseconds: later events are left out. */
  readonly asOf: bigint;
  /** The companies that are asked for, and which calendar each has, from 0 on; undefined: nothing is sure there. */
  readonly companies: ReadonlyMap<string, number | undefined>;
  /** Nanoseconds that an answer may take everywhere, or how long by calendar. */
  readonly allowed: bigint | AllowanceTable;
  /** Is nothing sure of an anchor whose period is not the month it happened in (UTC)? */
  readonly byPeriod: boolean;
}

/** Some of the anchors, of one company. */
export interface ScreenedAnchors {
  readonly company: string;
  /** So many are answered in time. */
  readonly answered: number;
  readonly others: readonly Unanswered[];
}

/** An event that may be unanswered. */
export interface Unanswered {
  /** A join key that leads to it. */
  readonly key: string;
  /** Epoch nanoseconds at which it, or another event with the key, happened. */
  readonly at: bigint;
}

const QUARTER = 900_000_000_000n;
const HOUR = 4n * QUARTER;
/** Parameters that hold a table. */
const TABLE_PARAMS = 8;
const TABLE = Array.from({ length: TABLE_PARAMS }, (_, i) => `allowed${i}` as const);

const texts = z.array(z.string());
const whole = z.string().regex(/^-?\d+$/);
const params = z
  .object({
    ...typesShape('anchors'),
    ...typesShape('answers'),
    by: texts,
    asOf: whole,
    companies: texts,
    calendars: texts,
    within: whole,
    firstHour: whole,
    hours: whole,
    secret0: whole,
    secret1: whole,
  })
  .catchall(z.union([z.string(), texts]));
type Params = z.infer<typeof params>;

/** Of a company, how many are answered, and the keys and instants of those that may not be. */
export const portion = z.tuple([z.string(), z.number(), texts, texts]);
/** Rows in which the answer comes for each company. */
export const PORTIONS = 16;

const SECRET = '({secret0:UInt64}, {secret1:UInt64})';
/** Nobody who sends events knows the secret, so that no two keys can be made to fall together. */
const EVENT = `sipHash64Keyed(${SECRET}, Company, Source, EventId)`;

/** The calendar of a row's company, from 1 on; 0 where nothing is sure. */
const CALENDAR =
  'transform(Company, {companies:Array(String)}, arrayMap(x -> toInt64(x), {calendars:Array(String)}), toInt64(0))';
const ALLOWED_QUARTERS = `arrayMap(x -> toInt64OrZero(x), splitByChar(',', concat(${TABLE.map((name) => `{${name}:String}`).join(', ')})))`;
const HOUR_AT = `intDiv(t, ${HOUR}) - {firstHour:Int64}`;

/** The instant up to which an answer to an anchor is surely in time. */
function limitOf(isTable: boolean, byPeriod: boolean): string {
  const isSure = [`${CALENDAR} > 0`];
  if (isTable) isSure.push(`${HOUR_AT} >= 0`, `${HOUR_AT} < {hours:Int64}`);
  if (byPeriod)
    isSure.push(`${EVENT} NOT IN (SELECT ${EVENT} FROM finance_events
      PREWHERE ${ofTypes('anchors')} WHERE Period != '' AND Period != formatDateTime(Time, '%Y-%m'))`);
  const allowed = isTable
    ? `${QUARTER} * ${ALLOWED_QUARTERS}[(${CALENDAR} - 1) * {hours:Int64} + ${HOUR_AT} + 1]`
    : '{within:Int64}';
  return `if(${isSure.join(' AND ')}, t + ${allowed}, toInt64(-1))`;
}

/** The condition on a row of `finance_events`; the parameters are `conditionParams`. */
export const conditionSql = ({ attribute, must }: AnchorCondition, i: number): string => {
  const value = attribute === undefined ? 'Source' : `Attributes[{field${i}:String}]`;
  const isOne = `(${value} IN {values${i}:Array(String)} OR match(${value}, {like${i}:String}))`;
  if (must === 'exist') return `${value} != ''`;
  if (must === 'lack') return `${value} = ''`;
  return must === 'one-of' ? `(${value} != '' AND ${isOne})` : `NOT (${value} != '' AND ${isOne})`;
};

function anchorOf(conditions: readonly AnchorCondition[]): string {
  const tests = conditions.map((one, i) => ({
    sql: conditionSql(one, i),
    isOfKeys: one.attribute === undefined,
  }));
  const own = tests.filter(({ isOfKeys }) => isOfKeys).map(({ sql }) => sql);
  const others = tests.filter(({ isOfKeys }) => !isOfKeys).map(({ sql }) => sql);
  // Only the source stands beside the keys.
  const among =
    others.length === 0
      ? []
      : [
          `${EVENT} IN (SELECT ${EVENT} FROM finance_events PREWHERE ${ofTypes('anchors')} WHERE ${others.join(' AND ')})`,
        ];
  return `(${[ofTypes('anchors'), ...own, ...among].join(' AND ')})`;
}

/** Of the events with a key: whether one answer, the first or the last of all, is one to every anchor. */
const ANSWERED = {
  after: '(b1 > last AND b1 <= until) OR (b2 > last AND b2 <= until)',
  before: 'b1 < first AND until >= 0',
  ever: 'b1 <= until',
} as const;

/** The query for questions of this shape. Of all events with a key, every anchor must have an answer that comes after all of them and in time for each. */
function queryOf(question: UnansweredQuestion): NamedQuery<Params, z.infer<typeof portion>> {
  const { across, conditions, when, allowed, byPeriod, by, keyed } = question;
  // An anchor is looked for by its subject too, where it may have no other key.
  const isOwn = keyed || by.includes('subject') ? '0' : "KeyType = 'subject'";
  const isAnswered = ANSWERED[when];
  return defineQuery({
    name: 'event_keys.unanswered',
    sql: `SELECT place, toUInt32(countIf(isSure)), groupArrayIf(lead, NOT isSure), groupArrayIf(toString(start), NOT isSure) FROM (
      SELECT e, any(place) AS place, argMax(key, own) AS lead, min(first) AS start, max(answered) AS isSure FROM (
      SELECT groupArrayIf(e, a) AS es, anyIf(Company, a) AS place, any(k0) AS key, max(own0) AS own, minIf(t, a) AS first, maxIf(t, a) AS last,
        minIf(limit, a) AS until, minOrNullIf(t, b) AS b1, maxOrNullIf(t, b) AS b2,
        ifNull(${isAnswered}, 0) AS answered
      FROM (
        SELECT JoinKey AS k0, Company, ${isOwn} AS own0, ${EVENT} AS e, toUnixTimestamp64Nano(Time) AS t,
          ${anchorOf(conditions)} AS a, NOT own0 AND ${ofTypes('answers')} AS b,
          if(a, ${limitOf(typeof allowed !== 'bigint', byPeriod)}, 0) AS limit,
          sipHash64Keyed(${SECRET}, JoinKey${across ? '' : ', Company'}) AS k
        FROM event_keys
        PREWHERE (${ofTypes('anchors')} OR ${ofTypes('answers')}) AND (KeyType IN {by:Array(String)} OR ${isOwn})
        WHERE (a OR b) AND Time <= fromUnixTimestamp64Nano({asOf:Int64}, 'UTC')
          ${across ? '' : 'AND Company IN {companies:Array(String)}'}
      ) GROUP BY k HAVING notEmpty(es)
      ) ARRAY JOIN es AS e GROUP BY e
    ) GROUP BY place, e % ${PORTIONS}`,
    params,
    row: portion,
  });
}

/** The parameters of `conditionSql` for these conditions. */
export function conditionParams(conditions: readonly AnchorCondition[]): Record<string, string | string[]> {
  const given: Record<string, string | string[]> = {};
  for (const [i, { attribute, values }] of conditions.entries()) {
    if (attribute !== undefined) given[`field${i}`] = attribute;
    given[`values${i}`] = values.filter((value) => !value.includes('*'));
    given[`like${i}`] = typesRegex(values.filter((value) => value.includes('*')));
  }
  return given;
}

const NO_TABLE = Object.fromEntries(TABLE.map((name) => [name, '']));

/** A table in texts that each fit into a parameter; undefined when it is too large for them. */
function tableParams({ quarters }: AllowanceTable): Record<string, string> | undefined {
  const chunks = chunksOf(quarters.map((count) => `${count},`)).map((chunk) => chunk.join(''));
  if (chunks.length > TABLE_PARAMS) return undefined;
  return Object.fromEntries(TABLE.map((name, i) => [name, chunks[i] ?? '']));
}

/** See `FinanceEventStore.unanswered`. */
export async function* unanswered(
  clickhouse: Pick<ClickHouse, 'tuples'>,
  question: UnansweredQuestion,
): AsyncGenerator<ScreenedAnchors> {
  const { allowed, conditions } = question;
  const table = typeof allowed === 'bigint' ? undefined : tableParams(allowed);
  const isSure = typeof allowed === 'bigint' || table !== undefined;
  const secret = randomBytes(16);
  const given: Params = {
    ...typesParams('anchors', question.anchors),
    ...typesParams('answers', question.answers),
    by: [...question.by],
    asOf: int64(question.asOf),
    companies: [],
    calendars: [],
    within: typeof allowed === 'bigint' ? `${allowed}` : '0',
    firstHour: typeof allowed === 'bigint' ? '0' : `${allowed.firstHour}`,
    hours: typeof allowed === 'bigint' ? '0' : `${allowed.hours}`,
    secret0: `${secret.readBigUInt64LE(0)}`,
    secret1: `${secret.readBigUInt64LE(8)}`,
    ...(table ?? NO_TABLE),
    ...conditionParams(conditions),
  };
  const query = queryOf(question);
  const all = [...question.companies.keys()];
  const chunks = chunksOf(all);
  // What joins across companies is asked for at once; of companies that are too many to be named nothing is sure.
  for (const companies of question.across ? [chunks[0] ?? []] : chunks) {
    const calendars = companies.map((company) => {
      const calendar = isSure ? question.companies.get(company) : undefined;
      return calendar === undefined ? '0' : `${calendar + 1}`;
    });
    for await (const rows of clickhouse.tuples(query, { ...given, companies, calendars }))
      for (const [company, answered, keys, firsts] of rows)
        yield { company, answered, others: keys.map((key, i) => ({ key, at: BigInt(firsts[i] as string) })) };
  }
}
