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
const hit = z.object({
  key: z.string(),
  company: z.string(),
  source: z.string(),
  subject: z.string(),
  first: z.string(),
});
const ofKeys = { ...scope, joinKeys: texts, perKey: z.int() };

const documents = defineQuery({
  name: 'cases.documents',
  sql: `${DOCUMENTS} ${ONE_THREAD}`,
  params: z.object(ofKeys),
  row: hit,
});

const EVENTS = `SELECT Event AS event FROM document_events
    WHERE Subject IN {ofSubject:Array(String)} AND Company IN {ofCompany:Array(String)} AND Source IN {ofSource:Array(String)}
    ORDER BY Time LIMIT {limit:UInt32}`;
const head = z.string().transform((text) => headRow.parse(JSON.parse(text)));
const ofDocuments = { ofCompany: texts, ofSource: texts, ofSubject: texts, limit: z.int() };

const events = defineQuery({
  name: 'cases.events',
  sql: `${EVENTS} ${ONE_THREAD}`,
  params: z.object(ofDocuments),
  row: z.object({ event: head }),
});

/** Both at once: what a query costs by itself is as much as what either reads. */
const eventsAndDocuments = defineQuery({
  name: 'cases.events_and_documents',
  sql: `SELECT event, '' AS key, '' AS company, '' AS source, '' AS subject, '' AS first FROM (${EVENTS})
    UNION ALL SELECT '' AS event, key, company, source, subject, first FROM (${DOCUMENTS}) ${ONE_THREAD}`,
  params: z.object({ ...ofDocuments, ...ofKeys }),
  row: z.union([hit.extend({ event: z.literal('') }), z.object({ event: head })]),
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
  const found: z.infer<typeof hit>[] = [];
  for (const chunk of chunksOf(joinKeys))
    found.push(
      ...(await clickhouse.query(documents, { ...scopeOf(companies), joinKeys: chunk, perKey: limit })),
    );
  return inTime(found);
}

function inTime(hits: readonly z.infer<typeof hit>[]): KeyHit[] {
  const dated = hits.map(({ first, ...rest }) => ({ rest, first: BigInt(first) }));
  return dated.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0)).map(({ rest }) => rest);
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

const namesIn = (names: readonly DocumentName[]) => ({
  ofCompany: [...new Set(names.map(({ company }) => company))],
  ofSource: [...new Set(names.map(({ source }) => source))],
  ofSubject: [...new Set(names.map(({ subject }) => subject))],
});

/** The events of the documents, each once, in the order of events. */
function eventsOf(names: readonly DocumentName[], rows: readonly { event: HeadRow }[]): EventHead[] {
  const wanted = new Set(names.map(documentId));
  const once = new Map<string, EventHead>();
  for (const { event } of rows)
    if (wanted.has(documentId(event))) once.set(eventRefKey(event), headOfRow(event));
  return [...once.values()].sort(compareEvents);
}

/** The first `limit` events of the documents, each once, in the order of events. */
export async function eventsOfDocuments(
  clickhouse: ClickHouse,
  names: readonly DocumentName[],
  limit: number,
): Promise<EventHead[]> {
  return eventsOf(names, await clickhouse.query(events, { ...namesIn(names), limit }));
}

/** `eventsOfDocuments` and `documentsOfKeys` in one query, unless there are very many keys. */
export async function eventsBesideDocuments(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  names: readonly DocumentName[],
  limit: number,
  beside: { readonly joinKeys: readonly string[]; readonly limit: number },
): Promise<{ events: EventHead[]; hits: KeyHit[] }> {
  const [joinKeys, ...further] = chunksOf(beside.joinKeys);
  if (joinKeys === undefined || further.length > 0) {
    const [found, hits] = await Promise.all([
      eventsOfDocuments(clickhouse, names, limit),
      documentsOfKeys(clickhouse, companies, beside.joinKeys, beside.limit),
    ]);
    return { events: found, hits };
  }
  const asked = { ...namesIn(names), limit, ...scopeOf(companies), joinKeys, perKey: beside.limit };
  const rows = await clickhouse.query(eventsAndDocuments, asked);
  return {
    events: eventsOf(
      names,
      rows.flatMap((row) => (row.event === '' ? [] : [row as { event: HeadRow }])),
    ),
    hits: inTime(rows.flatMap((row) => (row.event === '' ? [row as z.infer<typeof hit>] : []))),
  };
}
