import { z } from 'zod';
import type { CaseSource, KeyHit } from '../../model/case.ts';
import { type DocumentName, documentId } from '../../model/case-document.ts';
import { type EventHead, eventRefKey } from '../../model/event.ts';
import { type CompanyScope, isInScope } from '../../model/principal.ts';
import type { ClickHouse } from './client.ts';
import { scope, scopeOf } from './event-queries.ts';
import { headOfRow, headRow } from './finance-event-rows.ts';
import { compareEvents } from './finance-events.ts';
import { chunksOf } from './param-chunks.ts';
import { defineLookup, defineQuery } from './query.ts';

const texts = z.array(z.string());

const DOCUMENTS = `SELECT JoinKey AS key, Company AS company, Source AS source, Subject AS subject,
      toString(toUnixTimestamp64Nano(min(Time))) AS first
    FROM event_keys WHERE JoinKey IN {joinKeys:Array(String)}
      AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)})
    GROUP BY key, company, source, subject ORDER BY min(Time), company, source, subject LIMIT {perKey:UInt32} BY key`;
const ofKeys = { ...scope, joinKeys: texts, perKey: z.int() };

const documents = defineLookup({
  name: 'cases.documents',
  sql: DOCUMENTS,
  params: z.object(ofKeys),
  row: z.object({
    key: z.string(),
    company: z.string(),
    source: z.string(),
    subject: z.string(),
    first: z.string(),
  }),
});

const eventText = z.object({
  event: z.string().transform((text) => headRow.parse(JSON.parse(text))),
});

const events = defineLookup({
  name: 'cases.events',
  sql: `SELECT Event AS event FROM document_events
    WHERE Subject IN {ofSubject:Array(String)} AND Company IN {ofCompany:Array(String)} AND Source IN {ofSource:Array(String)}
    ORDER BY Time LIMIT {limit:UInt32}`,
  params: z.object({ ofCompany: texts, ofSource: texts, ofSubject: texts, limit: z.int() }),
  row: eventText,
});

/**
 * In one query, and of every company: what a query costs by itself is as much as what it reads, and each column to look at costs as
 * much again. Documents have an event at least, so that as many rows as were asked for tell of either limit.
 */
const eventsByKeys = defineLookup({
  name: 'cases.events_of_keys',
  sql: `SELECT Event AS event FROM document_events
    WHERE Subject IN (SELECT DISTINCT Subject FROM event_keys
      WHERE JoinKey IN {joinKeys:Array(String)} AND Subject NOT IN {known:Array(String)} LIMIT {limit:UInt32})
    LIMIT {limit:UInt32}`,
  params: z.object({ joinKeys: texts, known: texts, limit: z.int() }),
  row: eventText,
});

/** The same of the companies alone, where there is more than is wanted, of which the first must be sought. */
const firstEventsByKeys = defineLookup({
  name: 'cases.first_events_of_keys',
  sql: `SELECT Event AS event FROM document_events WHERE Subject IN (SELECT subject FROM (${DOCUMENTS}))
    AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)}) ORDER BY Time LIMIT {limit:UInt32}`,
  params: z.object({ ...ofKeys, limit: z.int() }),
  row: eventText,
});

const keySizes = defineQuery({
  name: 'cases.key_sizes',
  sql: `SELECT JoinKey AS key, uniq(Company, Source, Subject) AS documents FROM event_keys
    WHERE JoinKey IN {joinKeys:Array(String)} AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)})
    GROUP BY key`,
  params: z.object({ ...scope, joinKeys: texts }),
  row: z.object({ key: z.string(), documents: z.coerce.number() }),
});

/**
 * The documents of the companies whose events have one of the join keys, the earliest first, of each key at most `limit`:
 * their names only, as thousands of events may share a key.
 */
export async function documentsOfKeys(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  joinKeys: readonly string[],
  limit: number,
): Promise<KeyHit[]> {
  const found: (KeyHit & { first: bigint })[] = [];
  for (const chunk of chunksOf(joinKeys)) {
    const asked = { ...scopeOf(companies), joinKeys: chunk, perKey: limit };
    for (const { first, ...hit } of await clickhouse.query(documents, asked))
      found.push({ ...hit, first: BigInt(first) });
  }
  return found.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
}

/** How many documents of the companies share each of the join keys. */
export async function sizesOfKeys(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  joinKeys: readonly string[],
): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const chunk of chunksOf(joinKeys))
    for (const { key, documents } of await clickhouse.query(keySizes, {
      ...scopeOf(companies),
      joinKeys: chunk,
    }))
      sizes.set(key, documents);
  return sizes;
}

/** Each event once, in the order of events. */
function inOrder(events: readonly EventHead[]): EventHead[] {
  return [...new Map(events.map((event) => [eventRefKey(event), event])).values()].sort(compareEvents);
}

/** The first `limit` events of the documents, each once, in the order of events. */
export async function eventsOfDocuments(
  clickhouse: ClickHouse,
  names: readonly DocumentName[],
  limit: number,
): Promise<EventHead[]> {
  const wanted = new Set(names.map(documentId));
  const rows = await clickhouse.query(events, {
    ofCompany: [...new Set(names.map(({ company }) => company))],
    ofSource: [...new Set(names.map(({ source }) => source))],
    ofSubject: [...new Set(names.map(({ subject }) => subject))],
    limit,
  });
  return inOrder(rows.map(({ event }) => headOfRow(event)).filter((event) => wanted.has(documentId(event))));
}

/** So many events are read without asking which are the first. */
const FEW_EVENTS = 300;

/** What a case reads of documents: `CaseSource.events` of the companies. */
export type ReadEvents = CaseSource['events'];

/**
 * Reads the events of the documents that `documentsOfKeys` names, for one case, and those of other documents of the same subjects:
 * what has none of the keys is for the walk to leave out. A subject is read once, whichever sources call a document so.
 */
export function eventReader(clickhouse: ClickHouse, companies: CompanyScope): ReadEvents {
  /** Of each subject that was read whole. */
  const whole = new Map<string, EventHead[]>();

  async function readChunk(joinKeys: string[], first: First): Promise<EventHead[]> {
    // Those for which there is no room in a query are read once more.
    const [known = []] = chunksOf(whole.keys());
    const rows = await clickhouse.query(eventsByKeys, { joinKeys, known, limit: FEW_EVENTS });
    const found = rows
      .map(({ event }) => headOfRow(event))
      .filter(({ company }) => isInScope(companies, company));
    if (rows.length < FEW_EVENTS && new Set(found.map(documentId)).size < first.documents) {
      for (const { event } of rows) whole.set(event.subject, []);
      for (const event of found) whole.get(event.subject)?.push(event);
      return found;
    }
    const asked = { ...scopeOf(companies), joinKeys, perKey: first.documents, limit: first.events };
    return (await clickhouse.query(firstEventsByKeys, asked)).map(({ event }) => headOfRow(event));
  }

  return async (joinKeys, first, known) => {
    const shown = new Set(known.map(documentId));
    const earlier = [...whole.values()].flat().filter((event) => !shown.has(documentId(event)));
    const found: EventHead[] = [];
    for (const chunk of chunksOf(joinKeys)) found.push(...(await readChunk(chunk, first)));
    return inOrder([...earlier, ...found]).slice(0, first.events);
  };
}
type First = Parameters<ReadEvents>[1];
