import { z } from 'zod';
import type { FinanceEvent } from '../../model/event.ts';
import type { CompanyScope } from '../../model/principal.ts';
import { parseInstant } from '../../model/time.ts';
import { decodeCursor, encodeCursor, type Page } from '../paging.ts';
import type { ClickHouse } from './client.ts';
import { typesRegex } from './event-types.ts';
import { EVENT_COLUMNS, eventOfRow, eventRow } from './finance-event-rows.ts';
import { defineQuery } from './query.ts';

const texts = z.array(z.string());
/** The parameters of a query that is limited to the companies that somebody may read. */
export const scope = { everyCompany: z.union([z.literal(0), z.literal(1)]), companies: texts };
export const scopeOf = (companies: CompanyScope): { everyCompany: 0 | 1; companies: string[] } =>
  companies === '*' ? { everyCompany: 1, companies: [] } : { everyCompany: 0, companies: [...companies] };

const page = defineQuery({
  name: 'finance_events.page',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events
    WHERE ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)})
      AND (empty({company:String}) OR Company = {company:String})
      AND (empty({source:String}) OR Source = {source:String})
      AND (empty({subject:String}) OR Subject = {subject:String})
      AND (empty({traceId:String}) OR TraceId = {traceId:String})
      AND match(Type, {types:String})
      AND Time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND Time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
      AND (Time, Sequence, Source, EventId) < (fromUnixTimestamp64Nano({afterTime:Int64}, 'UTC'), {afterSequence:Int64},
        {afterSource:String}, {afterId:String})
    ORDER BY Time DESC, Sequence DESC, Source DESC, EventId DESC LIMIT {limit:UInt32}`,
  params: z.object({
    ...scope,
    company: z.string(),
    source: z.string(),
    subject: z.string(),
    traceId: z.string(),
    types: z.string(),
    from: z.string(),
    to: z.string(),
    afterTime: z.string(),
    afterSequence: z.string(),
    afterSource: z.string(),
    afterId: z.string(),
    limit: z.int(),
  }),
  row: eventRow,
});

const one = defineQuery({
  name: 'finance_events.one',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events
    WHERE Source = {source:String} AND EventId = {id:String}
      AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)}) LIMIT 1`,
  params: z.object({ ...scope, source: z.string(), id: z.string() }),
  row: eventRow,
});

const before = defineQuery({
  name: 'finance_events.before',
  sql: `SELECT 1 AS found FROM finance_events
    WHERE Company = {company:String} AND Time < fromUnixTimestamp64Nano({before:Int64}, 'UTC') LIMIT 1`,
  params: z.object({ company: z.string(), before: z.string() }),
  row: z.object({ found: z.number() }),
});

export interface EventFilter {
  readonly companies: CompanyScope;
  readonly company?: string | undefined;
  readonly source?: string | undefined;
  readonly subject?: string | undefined;
  readonly traceId?: string | undefined;
  /** Patterns in which `*` stands for any text. */
  readonly types?: readonly string[] | undefined;
  /** Epoch nanoseconds, inclusive. */
  readonly from?: bigint | undefined;
  /** Epoch nanoseconds, exclusive. */
  readonly to?: bigint | undefined;
}

const LOWEST = '-9223372036854775808';
const HIGHEST = '9223372036854775807';
const WHOLE = /^-?\d{1,19}$/;

export const eventCursor = (event: FinanceEvent): string =>
  encodeCursor([`${parseInstant(event.time)}`, event.sequence, event.source, event.id]);

/** Events, the latest first. */
export async function listEvents(
  clickhouse: ClickHouse,
  filter: EventFilter,
  { limit, after }: Page,
  options?: { signal?: AbortSignal },
): Promise<FinanceEvent[]> {
  const key = decodeCursor(after, [WHOLE, WHOLE, /^/, /^/]);
  const rows = await clickhouse.query(
    page,
    {
      ...scopeOf(filter.companies),
      company: filter.company ?? '',
      source: filter.source ?? '',
      subject: filter.subject ?? '',
      traceId: filter.traceId ?? '',
      types: filter.types?.length ? typesRegex(filter.types) : '',
      from: `${filter.from ?? LOWEST}`,
      to: `${filter.to ?? HIGHEST}`,
      afterTime: key?.[0] ?? HIGHEST,
      afterSequence: key?.[1] ?? HIGHEST,
      afterSource: key?.[2] ?? '',
      afterId: key?.[3] ?? '',
      limit,
    },
    options,
  );
  return rows.map(eventOfRow);
}

/** The event of the source and id, when its company lies in the scope. */
export async function findEvent(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  source: string,
  id: string,
): Promise<FinanceEvent | undefined> {
  const [row] = await clickhouse.query(one, { ...scopeOf(companies), source, id });
  return row && eventOfRow(row);
}

/** Is there an event of the company that happened before the instant (epoch nanoseconds)? */
export async function hasEventsBefore(
  clickhouse: ClickHouse,
  company: string,
  instant: bigint,
): Promise<boolean> {
  return (await clickhouse.query(before, { company, before: `${instant}` })).length > 0;
}
