import { z } from 'zod';
import type { KeyHit } from '../../model/case.ts';
import { type DocumentName, documentId } from '../../model/case-document.ts';
import { type EventHead, eventRefKey } from '../../model/event.ts';
import type { CompanyScope } from '../../model/principal.ts';
import type { ClickHouse } from './client.ts';
import { scope, scopeOf } from './event-queries.ts';
import { type HeadRow, headOfRow, headRow } from './finance-event-rows.ts';
import { chunksOf, compareEvents } from './finance-events.ts';
import { defineQuery, ONE_THREAD } from './query.ts';

const texts = z.array(z.string());

const DOCUMENTS = `SELECT JoinKey AS key, Company AS company, Source AS source, Subject AS subject,
      toString(toUnixTimestamp64Nano(min(Time))) AS first
    FROM event_keys WHERE JoinKey IN {joinKeys:Array(String)}
      AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)})
    GROUP BY key, company, source, subject ORDER BY min(Time), company, source, subject LIMIT {perKey:UInt32} BY key`;
const ofKeys = { ...scope, joinKeys: texts, perKey: z.int() };

const documents = defineQuery({
  name: 'cases.documents',
  sql: `${DOCUMENTS} ${ONE_THREAD}`,
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

const events = defineQuery({
  name: 'cases.events',
  sql: `SELECT Event AS event FROM document_events
    WHERE Subject IN {ofSubject:Array(String)} AND Company IN {ofCompany:Array(String)} AND Source IN {ofSource:Array(String)}
    ORDER BY Time LIMIT {limit:UInt32} ${ONE_THREAD}`,
  params: z.object({ ofCompany: texts, ofSource: texts, ofSubject: texts, limit: z.int() }),
  row: eventText,
});

const BY_SUBJECT = (subjects: string) => `SELECT Event AS event FROM document_events
    WHERE Subject IN (SELECT subject FROM (${subjects})) AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)})`;

/** In one query: what a query costs by itself is as much as what it reads. */
const eventsByKeys = defineQuery({
  name: 'cases.events_of_keys',
  sql: `${BY_SUBJECT(`SELECT DISTINCT JoinKey AS key, Company AS company, Source AS source, Subject AS subject FROM event_keys
      WHERE JoinKey IN {joinKeys:Array(String)} AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)})
        AND concat(company, '\n', source, '\n', subject) NOT IN {known:Array(String)}
      LIMIT {perKey:UInt32} BY key`)} LIMIT {limit:UInt32} ${ONE_THREAD}`,
  params: z.object({ ...ofKeys, known: texts, limit: z.int() }),
  row: eventText,
});

/** The same where there are more than are wanted, of which the first must be sought. */
const firstEventsByKeys = defineQuery({
  name: 'cases.first_events_of_keys',
  sql: `${BY_SUBJECT(DOCUMENTS)} ORDER BY Time LIMIT {limit:UInt32} ${ONE_THREAD}`,
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
function inOrder(rows: readonly { readonly event: HeadRow }[]): EventHead[] {
  const once = new Map(rows.map(({ event }) => [eventRefKey(event), event]));
  return [...once.values()].map(headOfRow).sort(compareEvents);
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
  return inOrder(rows.filter(({ event }) => wanted.has(documentId(event))));
}

/**
 * The events of the documents that `documentsOfKeys` names, without those `known` already, at most the first `events`, in the order
 * of events, and of documents of the same subjects: what has none of the keys is for the reader to leave out.
 */
export async function eventsOfKeys(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  joinKeys: readonly string[],
  first: { readonly documents: number; readonly events: number },
  known: readonly DocumentName[] = [],
): Promise<EventHead[]> {
  const rows: { readonly event: HeadRow }[] = [];
  const names = known.map(({ company, source, subject }) => `${company}\n${source}\n${subject}`);
  // Those for which there is no room in a query are read once more.
  const [leftOut = []] = chunksOf(names);
  for (const chunk of chunksOf(joinKeys)) {
    const asked = { ...scopeOf(companies), joinKeys: chunk, perKey: first.documents, limit: first.events };
    const some = await clickhouse.query(eventsByKeys, { ...asked, known: leftOut });
    const documents = new Set(some.map(({ event }) => documentId(event)));
    const isAll = some.length < first.events && documents.size < first.documents;
    rows.push(...(isAll ? some : await clickhouse.query(firstEventsByKeys, asked)));
  }
  return inOrder(rows).slice(0, first.events);
}
