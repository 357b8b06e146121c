import { z } from 'zod';
import { ClosewatchError } from '../../model/errors.ts';
import { type EventHead, type EventRef, eventRefKey, type FinanceEvent } from '../../model/event.ts';
import { typeMatcher } from '../../model/event-pattern.ts';
import { parseInstant } from '../../model/time.ts';
import type { ClickHouse } from './client.ts';
import {
  type DeviatingQuestion,
  deviating,
  eventsOfTypes,
  type TotalsQuestion,
  type TypesQuestion,
  unequalTotals,
} from './deviating.ts';
import { ofTypes, typesParams, typesShape } from './event-types.ts';
import { type Block, documentBlock, eventBlock, keyBlocks } from './finance-event-blocks.ts';
import {
  type BatchFacts,
  batchFactsOf,
  batchFactsTuple,
  EVENT_COLUMNS,
  type EventFacts,
  eventOfRow,
  eventRow,
  factsColumns,
  factsOf,
  factsTuple,
} from './finance-event-rows.ts';
import { countInGroups, eventsInGroups, type GroupsQuestion } from './group-queries.ts';
import { FOREVER, int64 } from './int64.ts';
import { JOIN_KEYS, joinKeysParams, joinKeysShape } from './join-keys.ts';
import { chunksOf } from './param-chunks.ts';
import { defineQuery } from './query.ts';
import { RecentBatches } from './recent-batches.ts';
import { type ScreenedAnchors, type UnansweredQuestion, unanswered } from './unanswered.ts';

type KnownEvent = Pick<FinanceEvent, 'id' | 'subject' | 'time'>;

/** The finance events of ClickHouse: the readers' copy, in which every accepted event stands once. */
export interface FinanceEventStore {
  /**
   * Writes the events, their keys and what documents have of them under the de-duplication token: sent again with the same token, unchanged, they are
   * stored once, wherever the first attempt broke off.
   */
  insert(events: readonly FinanceEvent[], token: string): Promise<void>;
  /** Writes the events alone, without their keys. Throws `engine.data` when one of them cannot be written as a row. */
  insertEvents(events: readonly FinanceEvent[], token: string): Promise<void>;
  /** Writes what finds events by key and document alone, for a block whose first attempt broke off between the two; a repeat does no harm. */
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
  /**
   * The facts of the events of the batches in (after, upTo], by batch, many at a time, of the type patterns when these are given; the payload comes with the data types alone. Batches that
   * this process has just written are not read again, when it has all of the `rows` events that they are known to have.
   */
  factsInBatches(
    after: bigint,
    upTo: bigint,
    dataTypes: readonly string[],
    options?: { rows?: number | undefined; types?: readonly string[] | undefined },
  ): AsyncIterable<readonly BatchFacts[]>;
  /**
   * The facts of events that have at least one of the join keys, each once, in no order; the payload comes with the data types
   * alone, the rest is as in `byJoinKeys`.
   */
  factsByJoinKeys(
    joinKeys: readonly string[],
    options: { asOf: bigint; types: readonly string[]; dataTypes: readonly string[] },
  ): Promise<EventFacts[]>;
  /**
   * Which events have which of the join keys, in no order and perhaps more than once: those up to `asOf` (epoch nanoseconds, inclusive)
   * and of the type patterns. What came in the batches of `except` is left out.
   */
  refsByJoinKeys(
    joinKeys: readonly string[],
    options: { asOf: bigint; types: readonly string[]; except?: BatchSpan | undefined },
  ): Promise<KeyedRef[]>;
  /** How many join keys the events of the batches up to this one have. */
  keyCount(upTo: bigint): Promise<number>;
  /** The CRC-32 of each of them, many at a time, in no order. An answer that breaks off may end without an error: count what comes. */
  keySums(upTo: bigint): AsyncIterable<Uint32Array>;
  /** Events dated in (after, upTo], epoch nanoseconds, of the type patterns, in no order. */
  datedIn(span: { after: bigint; upTo: bigint; types: readonly string[] }): AsyncIterable<FinanceEvent>;
  /** Events with these ids, of whatever source, in the order of events. */
  byIds(ids: readonly string[]): Promise<FinanceEvent[]>;
  /** These events of these sources, in the order of events. */
  byRefs(refs: readonly EventRef[]): Promise<FinanceEvent[]>;
  /**
   * The facts of all events up to `asOf` (epoch nanoseconds, inclusive) of the type patterns (`*` = any text), ordered by
   * company, source, subject, time, sequence, id: a case at a time, never the whole history in memory.
   */
  scan(options: {
    asOf: bigint;
    sources?: readonly string[] | undefined;
    types: readonly string[];
    /** Types whose payload is read too. */
    dataTypes?: readonly string[] | undefined;
  }): AsyncIterable<EventFacts>;
  /**
   * What `make` makes of the events of these companies that one of the questions asks for, each once, in no order. Read by their time, once for all questions: it
   * costs what the widest span holds, not the history. Payload, attributes and keys come only with types that a question needs them of.
   */
  inGroups<Made>(
    companies: readonly string[],
    questions: readonly GroupsQuestion[],
    make: (facts: EventFacts) => Made,
  ): Promise<Made[]>;
  /** How many events of the company there are, of the types since the instant (epoch nanoseconds) of each question. */
  countInGroups(
    company: string,
    questions: readonly Pick<GroupsQuestion, 'types' | 'from'>[],
  ): Promise<number[]>;
  /**
   * Which anchors of the whole history are not surely answered in time, and how many are: said by the engine, which reads no more than keys,
   * types and times. It costs the history, so that it is for what is judged all again.
   */
  unanswered(question: UnansweredQuestion): AsyncIterable<ScreenedAnchors>;
  /** Of which keys the events, in the whole history, are not all alike in each of the fields, and how many keys are in order: as in `unanswered`. */
  deviating(question: DeviatingQuestion): AsyncIterable<ScreenedAnchors>;
  /** Of which events the lines do not exactly sum to their total, and how many have no lines or do. */
  unequalTotals(question: TotalsQuestion): AsyncIterable<ScreenedAnchors>;
  /** The events of some types, by their subjects. */
  ofTypes(question: TypesQuestion): AsyncIterable<ScreenedAnchors>;
  /** How many events of the type patterns each company has. */
  countByCompany(types: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** The companies of which there are events up to `asOf` (epoch nanoseconds, inclusive), and the instant of the first of all events; undefined: there is none. */
  extent(
    asOf: bigint,
  ): Promise<{ readonly companies: readonly string[]; readonly first: bigint } | undefined>;
  /** The ids of those of the events that the source has already, under the same subject and time. */
  knownIds(source: string, events: readonly KnownEvent[]): Promise<Set<string>>;
  /** The ids of those of the events that the source has already, whatever their subject, within a week of their time. */
  storedIds(source: string, events: readonly KnownEvent[]): Promise<Set<string>>;
  /** Has the source any event? */
  hasSource(source: string): Promise<boolean>;
}

/** The batches in (after, upTo]. */
export interface BatchSpan {
  readonly after: bigint;
  readonly upTo: bigint;
}

/** A join key of an event. */
export interface KeyedRef extends EventRef {
  readonly key: string;
}

const MAX_ROWS = 50_000;
/** Ids are looked for by reading those between the first and the last of the events, unless these are more than that. */
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
      WHERE JoinKey IN ${JOIN_KEYS} AND Time <= fromUnixTimestamp64Nano({asOf:Int64}, 'UTC')
        AND ${ofTypes('types')})
    ORDER BY Time, Sequence, EventId`,
  params: z.object({ ...joinKeysShape, asOf: whole, ...typesShape('types') }),
  row: eventRow,
});

/** The payload of the types that it is asked of. */
const DATA_OF_TYPES = `if(${ofTypes('dataTypes')}, Data, '')`;

const factsInBatches = defineQuery({
  name: 'finance_events.facts_in_batches',
  sql: `SELECT ${factsColumns({ data: DATA_OF_TYPES })}, toString(Batch) FROM finance_events
    WHERE Batch > {after:UInt64} AND Batch <= {upTo:UInt64} AND ${ofTypes('types')}
    ORDER BY Batch, Time, Sequence, EventId`,
  params: z.object({ after: whole, upTo: whole, ...typesShape('types'), ...typesShape('dataTypes') }),
  row: batchFactsTuple,
});

const factsByJoinKeys = defineQuery({
  name: 'finance_events.facts_by_join_keys',
  sql: `SELECT ${factsColumns({ data: DATA_OF_TYPES })} FROM finance_events
    WHERE (Company, Source, Subject, Time, EventId) IN (
      SELECT Company, Source, Subject, Time, EventId FROM event_keys
      WHERE JoinKey IN ${JOIN_KEYS} AND Time <= fromUnixTimestamp64Nano({asOf:Int64}, 'UTC')
        AND ${ofTypes('types')})`,
  params: z.object({ ...joinKeysShape, asOf: whole, ...typesShape('types'), ...typesShape('dataTypes') }),
  row: factsTuple,
});

const refsByJoinKeys = defineQuery({
  name: 'event_keys.refs_by_join_keys',
  sql: `SELECT JoinKey, Source, EventId FROM event_keys
    WHERE JoinKey IN ${JOIN_KEYS} AND Time <= fromUnixTimestamp64Nano({asOf:Int64}, 'UTC')
      AND ${ofTypes('types')} AND NOT (Batch > {after:UInt64} AND Batch <= {upTo:UInt64})`,
  params: z.object({ ...joinKeysShape, asOf: whole, ...typesShape('types'), after: whole, upTo: whole }),
  row: z.tuple([z.string(), z.string(), z.string()]),
});

const keysUpTo = z.object({ upTo: whole });
const keyCount = defineQuery({
  name: 'event_keys.count',
  sql: 'SELECT toString(count()) AS keys FROM event_keys WHERE Batch <= {upTo:UInt64}',
  params: keysUpTo,
  row: z.object({ keys: z.string() }),
});
const keySums = defineQuery({
  name: 'event_keys.sums',
  sql: 'SELECT CRC32(JoinKey) FROM event_keys WHERE Batch <= {upTo:UInt64}',
  params: keysUpTo,
  row: z.number(),
});

const eventsDatedIn = defineQuery({
  name: 'finance_events.dated_in',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events
    WHERE Time > fromUnixTimestamp64Nano({after:Int64}, 'UTC') AND Time <= fromUnixTimestamp64Nano({upTo:Int64}, 'UTC')
      AND ${ofTypes('types')}`,
  params: z.object({ after: whole, upTo: whole, ...typesShape('types') }),
  row: eventRow,
});

const extentOfEvents = defineQuery({
  name: 'finance_events.extent',
  sql: `SELECT Company AS company, toString(min(toUnixTimestamp64Nano(Time))) AS first FROM finance_events
    WHERE Time <= fromUnixTimestamp64Nano({asOf:Int64}, 'UTC') GROUP BY Company`,
  params: z.object({ asOf: whole }),
  row: z.object({ company: z.string(), first: whole }),
});

const countsByCompany = defineQuery({
  name: 'finance_events.count_by_company',
  sql: `SELECT Company AS company, toString(count()) AS events FROM finance_events WHERE ${ofTypes('types')} GROUP BY Company`,
  params: z.object(typesShape('types')),
  row: z.object({ company: z.string(), events: z.string() }),
});

const eventsByIds = defineQuery({
  name: 'finance_events.by_ids',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events WHERE EventId IN {ids:Array(String)}
    ORDER BY Time, Sequence, EventId`,
  params: z.object({ ids: texts }),
  row: eventRow,
});

const eventsByRefs = defineQuery({
  name: 'finance_events.by_refs',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events
    WHERE EventId IN {ids:Array(String)} AND Source IN {sources:Array(String)}
    ORDER BY Time, Sequence, EventId`,
  params: z.object({ ids: texts, sources: texts }),
  row: eventRow,
});

const scanEvents = defineQuery({
  name: 'finance_events.scan',
  sql: scanSql(`''`),
  params: z.object({ asOf: whole, ...typesShape('types'), sources: texts }),
  row: factsTuple,
});

const scanEventsWithData = defineQuery({
  name: 'finance_events.scan_data',
  sql: scanSql(DATA_OF_TYPES),
  params: z.object({ asOf: whole, ...typesShape('types'), sources: texts, ...typesShape('dataTypes') }),
  row: factsTuple,
});

function scanSql(data: string): string {
  return `SELECT ${factsColumns({ data })} FROM finance_events
    WHERE Time <= fromUnixTimestamp64Nano({asOf:Int64}, 'UTC') AND ${ofTypes('types')}
      AND (empty({sources:Array(String)}) OR Source IN {sources:Array(String)})
    ORDER BY Company, Source, Subject, Time, Sequence, EventId`;
}

/** A log comes by case or by time, so the events of a block lie in a narrow range of the one or the other. */
const BETWEEN = `Source = {source:String} AND Subject >= {firstSubject:String} AND Subject <= {lastSubject:String}
      AND Time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND Time <= fromUnixTimestamp64Nano({to:Int64}, 'UTC')`;
const between = {
  source: z.string(),
  firstSubject: z.string(),
  lastSubject: z.string(),
  from: whole,
  to: whole,
};

const knownEventIds = defineQuery({
  name: 'finance_events.known_ids',
  sql: `SELECT DISTINCT EventId AS id FROM finance_events WHERE ${BETWEEN} AND EventId IN {ids:Array(String)}`,
  params: z.object({ ...between, ids: texts }),
  row: z.object({ id: z.string() }),
});

const countBetween = defineQuery({
  name: 'finance_events.count_between',
  sql: `SELECT toString(count()) AS events FROM finance_events WHERE ${BETWEEN}`,
  params: z.object(between),
  row: z.object({ events: z.string() }),
});

const idsBetween = defineQuery({
  name: 'finance_events.ids_between',
  sql: `SELECT EventId FROM finance_events WHERE ${BETWEEN}`,
  params: z.object(between),
  row: z.tuple([z.string()]),
});

const storedEventIds = defineQuery({
  name: 'finance_events.stored_ids',
  sql: `SELECT DISTINCT EventId AS id FROM finance_events
    WHERE Source = {source:String} AND EventId IN {ids:Array(String)}
      AND Time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND Time <= fromUnixTimestamp64Nano({to:Int64}, 'UTC')`,
  params: z.object({ source: z.string(), from: whole, to: whole, ids: texts }),
  row: z.object({ id: z.string() }),
});

const anyOfSource = defineQuery({
  name: 'finance_events.any_of_source',
  sql: `SELECT 1 AS found FROM finance_events WHERE Source = {source:String} LIMIT 1`,
  params: z.object({ source: z.string() }),
  row: z.object({ found: z.number() }),
});

/** The first and last subject, in ClickHouse's order of bytes, and the first and last time of the events. */
function rangeOf(events: readonly KnownEvent[]) {
  const subjects = events.map(({ subject }) => Buffer.from(subject)).sort(Buffer.compare);
  let [from, to] = [FOREVER, -FOREVER];
  for (const { time } of events) {
    const at = parseInstant(time) ?? 0n;
    if (at < from) from = at;
    if (at > to) to = at;
  }
  const [firstSubject, lastSubject] = [`${subjects[0]}`, `${subjects.at(-1)}`];
  return { firstSubject, lastSubject, from: `${from}`, to: `${to}` };
}

/** Does the work on each chunk, on three at a time. */
async function inParallel<Chunk>(
  chunks: readonly Chunk[],
  work: (chunk: Chunk) => Promise<void>,
): Promise<void> {
  const left = [...chunks];
  const worker = async (): Promise<void> => {
    for (let chunk = left.pop(); chunk; chunk = left.pop()) await work(chunk);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, left.length) }, worker));
}

const ANY_TYPE = ['*'];
const NO_BATCH: BatchSpan = { after: 0n, upTo: 0n };
const A_WEEK = 7n * 86_400_000_000_000n;
/** −1, 0 or 1: the one order of events: time, sequence, id. */
export function compareEvents(a: EventHead, b: EventHead): number {
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

/** What `make` makes of events; one that has no form as a row is to blame itself. */
function encoded<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new ClosewatchError('engine.data', 'an event cannot be written as a row', { cause });
  }
}

/** The store of finance events on a ClickHouse. */
export function openFinanceEvents(clickhouse: ClickHouse): FinanceEventStore {
  const send = (table: string, block: Block, token: string): Promise<void> =>
    clickhouse.insertNative(table, block.columns, block.bytes, { token });
  const recent = new RecentBatches();
  const tokenOf = (token: string, part: number): string => (part === 0 ? token : `${token}:${part}`);
  const insertEvents = async (batch: readonly FinanceEvent[], token: string): Promise<void> => {
    for (let at = 0, part = 0; at < batch.length; at += MAX_ROWS, part++) {
      const block = encoded(() => eventBlock(batch.slice(at, at + MAX_ROWS)));
      await send('finance_events', block, tokenOf(token, part));
    }
  };
  const insertKeys = async (batch: readonly FinanceEvent[], token: string): Promise<void> => {
    for (let at = 0, part = 0; at < batch.length; at += MAX_ROWS, part++) {
      const block = encoded(() => documentBlock(batch.slice(at, at + MAX_ROWS)));
      await send('document_events', block, tokenOf(token, part));
    }
    for (const [part, block] of encoded(() => keyBlocks(batch, MAX_ROWS)).entries())
      await send('event_keys', block, tokenOf(token, part));
  };

  async function* events(rows: AsyncIterable<z.infer<typeof eventRow>>): AsyncGenerator<FinanceEvent> {
    for await (const row of rows) yield eventOfRow(row);
  }

  return {
    async insert(batch, token) {
      await insertEvents(batch, token);
      await insertKeys(batch, token);
      recent.note(batch);
    },
    insertEvents,
    insertKeys,
    inBatches: (after, upTo) =>
      events(clickhouse.stream(eventsInBatches, { after: `${after}`, upTo: `${upTo}` })),
    async *factsInBatches(after, upTo, dataTypes, { rows, types = ANY_TYPE } = {}) {
      const written = rows && recent.take({ after, upTo, rows }, typeMatcher(dataTypes));
      if (written) return yield written;
      const params = {
        after: `${after}`,
        upTo: `${upTo}`,
        ...typesParams('types', types),
        ...typesParams('dataTypes', dataTypes),
      };
      for await (const rows of clickhouse.tuples(factsInBatches, params)) yield rows.map(batchFactsOf);
    },
    async factsByJoinKeys(joinKeys, { asOf, types, dataTypes }) {
      const found: EventFacts[] = [];
      const chunks = joinKeysParams(joinKeys);
      await inParallel(chunks, async (chunk) => {
        const params = {
          ...chunk,
          asOf: int64(asOf),
          ...typesParams('types', types),
          ...typesParams('dataTypes', dataTypes),
        };
        for await (const rows of clickhouse.tuples(factsByJoinKeys, params))
          for (const row of rows) found.push(factsOf(row));
      });
      if (chunks.length <= 1) return found;
      return [...new Map(found.map((one) => [`${one.source}\n${one.id}`, one])).values()];
    },
    async refsByJoinKeys(joinKeys, { asOf, types, except = NO_BATCH }) {
      const found: KeyedRef[] = [];
      const span = { after: `${except.after}`, upTo: `${except.upTo}` };
      await inParallel(joinKeysParams(joinKeys), async (chunk) => {
        const params = { ...chunk, asOf: int64(asOf), ...typesParams('types', types), ...span };
        for await (const rows of clickhouse.tuples(refsByJoinKeys, params))
          for (const [key, source, id] of rows) found.push({ key, source, id });
      });
      return found;
    },
    async byJoinKeys(joinKeys, { asOf = FOREVER, types } = {}) {
      const answers: FinanceEvent[][] = [];
      await inParallel(joinKeysParams(joinKeys), async (chunk) => {
        const params = { ...chunk, asOf: int64(asOf), ...typesParams('types', types) };
        answers.push((await clickhouse.query(eventsByJoinKeys, params)).map(eventOfRow));
      });
      return merged(answers);
    },
    async keyCount(upTo) {
      const [row] = await clickhouse.query(keyCount, { upTo: `${upTo}` });
      return Number(row?.keys ?? 0);
    },
    keySums: (upTo) => clickhouse.numbers(keySums, { upTo: `${upTo}` }),
    datedIn: ({ after, upTo, types }) =>
      events(
        clickhouse.stream(eventsDatedIn, {
          after: int64(after),
          upTo: int64(upTo),
          ...typesParams('types', types),
        }),
      ),
    async byIds(ids) {
      const answers: FinanceEvent[][] = [];
      await inParallel(chunksOf(new Set(ids)), async (chunk) => {
        answers.push((await clickhouse.query(eventsByIds, { ids: chunk })).map(eventOfRow));
      });
      return merged(answers);
    },
    async byRefs(refs) {
      const wanted = new Set(refs.map(eventRefKey));
      const sources = Map.groupBy(refs, ({ id }) => id);
      const answers: FinanceEvent[][] = [];
      await inParallel(chunksOf(sources.keys()), async (ids) => {
        const of = new Set(ids.flatMap((id) => (sources.get(id) ?? []).map(({ source }) => source)));
        const rows = await clickhouse.query(eventsByRefs, { ids, sources: [...of] });
        answers.push(rows.map(eventOfRow).filter((event) => wanted.has(eventRefKey(event))));
      });
      return merged(answers);
    },
    async *scan({ asOf, sources = [], types, dataTypes = [] }) {
      const params = { asOf: int64(asOf), ...typesParams('types', types), sources: [...sources] };
      const found =
        dataTypes.length === 0
          ? clickhouse.tuples(scanEvents, params)
          : clickhouse.tuples(scanEventsWithData, { ...params, ...typesParams('dataTypes', dataTypes) });
      for await (const rows of found) for (const row of rows) yield factsOf(row);
    },
    unanswered: (question) => unanswered(clickhouse, question),
    deviating: (question) => deviating(clickhouse, question),
    unequalTotals: (question) => unequalTotals(clickhouse, question),
    ofTypes: (question) => eventsOfTypes(clickhouse, question),
    async countByCompany(types) {
      const rows = await clickhouse.query(countsByCompany, typesParams('types', types));
      return new Map(rows.map(({ company, events }) => [company, Number(events)]));
    },
    async extent(asOf) {
      const rows = await clickhouse.query(extentOfEvents, { asOf: int64(asOf) });
      const [one, ...others] = rows.map(({ first }) => BigInt(first));
      if (one === undefined) return undefined;
      const first = others.reduce((least, at) => (at < least ? at : least), one);
      return { companies: rows.map(({ company }) => company), first };
    },
    countInGroups: (company, questions) => countInGroups(clickhouse, company, questions),
    inGroups: (companies, questions, make) => eventsInGroups(clickhouse, companies, questions, make),
    async knownIds(source, asked) {
      const known = new Set<string>();
      if (asked.length === 0) return known;
      const ids = new Set(asked.map(({ id }) => id));
      const range = { source, ...rangeOf(asked) };
      const [count] = await clickhouse.query(countBetween, range);
      if (Number(count?.events ?? 0) <= MANY_EVENTS) {
        for await (const rows of clickhouse.tuples(idsBetween, range))
          for (const [id] of rows) if (ids.has(id)) known.add(id);
        return known;
      }
      await inParallel(chunksOf(ids), async (chunk) => {
        for (const { id } of await clickhouse.query(knownEventIds, { ...range, ids: chunk })) known.add(id);
      });
      return known;
    },
    async storedIds(source, asked) {
      const stored = new Set<string>();
      if (asked.length === 0) return stored;
      const { from, to } = rangeOf(asked);
      const range = { source, from: `${BigInt(from) - A_WEEK}`, to: int64(BigInt(to) + A_WEEK) };
      await inParallel(chunksOf(new Set(asked.map(({ id }) => id))), async (ids) => {
        for (const { id } of await clickhouse.query(storedEventIds, { ...range, ids })) stored.add(id);
      });
      return stored;
    },
    hasSource: async (source) => (await clickhouse.query(anyOfSource, { source })).length > 0,
  };
}
