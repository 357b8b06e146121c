import { z } from 'zod';
import type { FinanceEvent } from '../../model/event.ts';
import { parseInstant } from '../../model/time.ts';
import type { ClickHouse } from './client.ts';
import { type Block, eventBlock, keyBlocks } from './finance-event-blocks.ts';
import { EVENT_COLUMNS, eventOfRow, eventRow } from './finance-event-rows.ts';
import { defineQuery } from './query.ts';

/** The finance events of ClickHouse: the readers' copy, in which every accepted event stands once. */
export interface FinanceEventStore {
  /**
   * Writes the events and their keys under the de-duplication token: sent again with the same token, unchanged, they are
   * stored once, wherever the first attempt broke off.
   */
  insert(events: readonly FinanceEvent[], token: string): Promise<void>;
  /** Writes the keys of events alone, for a block whose first attempt broke off between the two; a repeat does no harm. */
  insertKeys(events: readonly FinanceEvent[], token: string): Promise<void>;
  /** Events of the batches in (after, upTo], by batch, then in the order of events. */
  inBatches(after: bigint, upTo: bigint): AsyncIterable<FinanceEvent>;
  /**
   * Events that have at least one of the join keys, each once, in the order of events (time, sequence, id): only those up
   * to `asOf` (epoch nanoseconds, inclusive) and of the type patterns, when given.
   */
  byJoinKeys(
    joinKeys: readonly string[],
    options?: { asOf?: bigint | undefined; types?: readonly string[] | undefined },
  ): Promise<FinanceEvent[]>;
  /** Events with these ids, of whatever source, in the order of events. */
  byIds(ids: readonly string[]): Promise<FinanceEvent[]>;
  /**
   * All events up to `asOf` (epoch nanoseconds, inclusive) of the type patterns (`*` = any text), ordered by company,
   * source, subject, time, sequence, id: a case at a time, never the whole history in memory.
   */
  scan(options: {
    asOf: bigint;
    sources?: readonly string[] | undefined;
    types: readonly string[];
  }): AsyncIterable<FinanceEvent>;
  /** Which of the ids the source has already. */
  knownIds(source: string, ids: readonly string[]): Promise<Set<string>>;
  /** Has the source any event? */
  hasSource(source: string): Promise<boolean>;
}

const MAX_ROWS = 50_000;
/** Parameters travel in the URL: so many bytes of them in one query (Node's server takes 16 KiB of URL and headers). */
const MAX_PARAM_BYTES = 8_000;
/** More ids than these are looked for by reading those of the source, unless it has more than that. */
const FEW_IDS = 1_000;
const MANY_EVENTS = 300_000;
/** Queries of one call at the same time. */
const PARALLEL = 3;
const whole = z.string().regex(/^-?\d+$/);
const texts = z.array(z.string());

const eventsInBatches = defineQuery({
  name: 'finance_events.in_batches',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events
    WHERE Batch > {after:UInt64} AND Batch <= {upTo:UInt64} ORDER BY Batch, Time, Sequence, EventId`,
  params: z.object({ after: whole, upTo: whole }),
  row: eventRow,
});

const eventsByJoinKeys = defineQuery({
  name: 'finance_events.by_join_keys',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events
    WHERE (Company, Source, Subject, Time, EventId) IN (
      SELECT Company, Source, Subject, Time, EventId FROM event_keys
      WHERE JoinKey IN {joinKeys:Array(String)} AND Time <= fromUnixTimestamp64Nano({asOf:Int64}, 'UTC')
        AND match(Type, {types:String}))
    ORDER BY Time, Sequence, EventId`,
  params: z.object({ joinKeys: texts, asOf: whole, types: z.string() }),
  row: eventRow,
});

const eventsByIds = defineQuery({
  name: 'finance_events.by_ids',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events WHERE EventId IN {ids:Array(String)}
    ORDER BY Time, Sequence, EventId`,
  params: z.object({ ids: texts }),
  row: eventRow,
});

const scanEvents = defineQuery({
  name: 'finance_events.scan',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events
    WHERE Time <= fromUnixTimestamp64Nano({asOf:Int64}, 'UTC') AND match(Type, {types:String})
      AND (empty({sources:Array(String)}) OR Source IN {sources:Array(String)})
    ORDER BY Company, Source, Subject, Time, Sequence, EventId`,
  params: z.object({ asOf: whole, types: z.string(), sources: texts }),
  row: eventRow,
});

const knownEventIds = defineQuery({
  name: 'finance_events.known_ids',
  sql: `SELECT DISTINCT EventId AS id FROM finance_events
    WHERE Source = {source:String} AND EventId IN {ids:Array(String)}`,
  params: z.object({ source: z.string(), ids: texts }),
  row: z.object({ id: z.string() }),
});

const anyOfSource = defineQuery({
  name: 'finance_events.any_of_source',
  sql: `SELECT 1 AS found FROM finance_events WHERE Source = {source:String} LIMIT 1`,
  params: z.object({ source: z.string() }),
  row: z.object({ found: z.number() }),
});

const countOfSource = defineQuery({
  name: 'finance_events.count_of_source',
  sql: 'SELECT toString(count()) AS events FROM finance_events WHERE Source = {source:String}',
  params: z.object({ source: z.string() }),
  row: z.object({ events: z.string() }),
});

const idsOfSource = defineQuery({
  name: 'finance_events.ids_of_source',
  sql: 'SELECT EventId AS id FROM finance_events WHERE Source = {source:String}',
  params: z.object({ source: z.string() }),
  row: z.object({ id: z.string() }),
});

/** The regular expression (RE2) of a set of type patterns: `*` stands for any text, everything else for itself. */
export function typesRegex(patterns: readonly string[] | undefined): string {
  if (patterns === undefined) return '';
  const alternatives = patterns.map((pattern) =>
    pattern
      .split('*')
      .map((part) => part.replace(/[.\\^$|?+()[\]{}]/g, '\\$&'))
      .join('.*'),
  );
  return `^(?:${alternatives.join('|')})$`;
}

/** The values in runs whose URL-encoded length stays under the limit. */
function chunksOf(values: Iterable<string>): string[][] {
  const chunks: string[][] = [];
  let chunk: string[] = [];
  let bytes = 0;
  for (const value of values) {
    const size = encodeURIComponent(value).length + 9;
    if (chunk.length > 0 && bytes + size > MAX_PARAM_BYTES) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(value);
    bytes += size;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}

const FOREVER = 9_223_372_036_854_775_807n;
/** An instant as the 64-bit parameter of a query: what lies past 2262 is after every event. */
const int64 = (nanos: bigint): string => `${nanos > FOREVER ? FOREVER : nanos}`;

/** −1, 0 or 1: the one order of events: time, sequence, id. */
function compareEvents(a: FinanceEvent, b: FinanceEvent): number {
  const [x, y] = [parseInstant(a.time) ?? 0n, parseInstant(b.time) ?? 0n];
  if (x !== y) return x < y ? -1 : 1;
  const [m, n] = [BigInt(a.sequence), BigInt(b.sequence)];
  if (m !== n) return m < n ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** The events of several answers, each once, in the order of events. */
function merged(answers: readonly FinanceEvent[][]): FinanceEvent[] {
  if (answers.length === 1) return answers[0] ?? [];
  const once = new Map<string, FinanceEvent>();
  for (const event of answers.flat()) once.set(`${event.source}\n${event.id}`, event);
  return [...once.values()].sort(compareEvents);
}

/** The store of finance events on a ClickHouse. */
export function openFinanceEvents(clickhouse: ClickHouse): FinanceEventStore {
  const send = (table: string, block: Block, token: string): Promise<void> =>
    clickhouse.insertNative(table, block.columns, block.bytes, { token });
  const tokenOf = (token: string, part: number): string => (part === 0 ? token : `${token}:${part}`);
  const insertKeys = async (batch: readonly FinanceEvent[], token: string): Promise<void> => {
    for (const [part, block] of keyBlocks(batch, MAX_ROWS).entries())
      await send('event_keys', block, tokenOf(token, part));
  };

  async function* events(rows: AsyncIterable<z.infer<typeof eventRow>>): AsyncGenerator<FinanceEvent> {
    for await (const row of rows) yield eventOfRow(row);
  }

  return {
    async insert(batch, token) {
      for (let at = 0, part = 0; at < batch.length; at += MAX_ROWS, part++)
        await send('finance_events', eventBlock(batch.slice(at, at + MAX_ROWS)), tokenOf(token, part));
      await insertKeys(batch, token);
    },
    insertKeys,
    inBatches: (after, upTo) =>
      events(clickhouse.stream(eventsInBatches, { after: `${after}`, upTo: `${upTo}` })),
    async byJoinKeys(joinKeys, { asOf = FOREVER, types } = {}) {
      const answers: FinanceEvent[][] = [];
      for (const chunk of chunksOf(new Set(joinKeys))) {
        const params = { joinKeys: chunk, asOf: int64(asOf), types: typesRegex(types) };
        answers.push((await clickhouse.query(eventsByJoinKeys, params)).map(eventOfRow));
      }
      return merged(answers);
    },
    async byIds(ids) {
      const answers: FinanceEvent[][] = [];
      for (const chunk of chunksOf(new Set(ids)))
        answers.push((await clickhouse.query(eventsByIds, { ids: chunk })).map(eventOfRow));
      return merged(answers);
    },
    scan: ({ asOf, sources = [], types }) =>
      events(
        clickhouse.stream(scanEvents, { asOf: int64(asOf), types: typesRegex(types), sources: [...sources] }),
      ),
    async knownIds(source, ids) {
      const known = new Set<string>();
      const asked = new Set(ids);
      const [count] = await clickhouse.query(countOfSource, { source });
      if (asked.size > FEW_IDS && Number(count?.events ?? 0) < MANY_EVENTS) {
        for await (const { id } of clickhouse.stream(idsOfSource, { source }))
          if (asked.has(id)) known.add(id);
        return known;
      }
      const chunks = chunksOf(asked);
      const ask = async (): Promise<void> => {
        for (let chunk = chunks.pop(); chunk; chunk = chunks.pop())
          for (const { id } of await clickhouse.query(knownEventIds, { source, ids: chunk })) known.add(id);
      };
      await Promise.all(Array.from({ length: PARALLEL }, ask));
      return known;
    },
    hasSource: async (source) => (await clickhouse.query(anyOfSource, { source })).length > 0,
  };
}
