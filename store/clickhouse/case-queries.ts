import { z } from 'zod';
import type { KeyHit } from '../../model/case.ts';
import { type DocumentName, documentId } from '../../model/case-document.ts';
import type { FinanceEvent } from '../../model/event.ts';
import type { CompanyScope } from '../../model/principal.ts';
import type { ClickHouse } from './client.ts';
import { scope, scopeOf } from './event-queries.ts';
import { EVENT_COLUMNS, eventOfRow, eventRow } from './finance-event-rows.ts';
import { chunksOf } from './finance-events.ts';
import { defineQuery } from './query.ts';

const texts = z.array(z.string());

const documents = defineQuery({
  name: 'cases.documents',
  sql: `SELECT JoinKey AS key, Company AS company, Source AS source, Subject AS subject,
      toString(toUnixTimestamp64Nano(min(Time))) AS first
    FROM event_keys WHERE JoinKey IN {joinKeys:Array(String)}
      AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)})
    GROUP BY key, company, source, subject ORDER BY min(Time), company, source, subject LIMIT {limit:UInt32} BY key`,
  params: z.object({ ...scope, joinKeys: texts, limit: z.int() }),
  row: z.object({
    key: z.string(),
    company: z.string(),
    source: z.string(),
    subject: z.string(),
    first: z.string(),
  }),
});

/** Each part of the names by itself finds the granules; what is of no document then is left out here: pairs cost more there. */
const events = defineQuery({
  name: 'cases.events',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events
    WHERE Company IN {ofCompany:Array(String)} AND Source IN {ofSource:Array(String)} AND Subject IN {ofSubject:Array(String)}
    ORDER BY Time, Sequence, EventId LIMIT {limit:UInt32}`,
  params: z.object({ ofCompany: texts, ofSource: texts, ofSubject: texts, limit: z.int() }),
  row: eventRow,
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
    const asked = { ...scopeOf(companies), joinKeys: chunk, limit };
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

/** The first `limit` events of the documents, in the order of events. */
export async function eventsOfDocuments(
  clickhouse: ClickHouse,
  names: readonly DocumentName[],
  limit: number,
): Promise<FinanceEvent[]> {
  const wanted = new Set(names.map(documentId));
  const rows = await clickhouse.query(events, {
    ofCompany: [...new Set(names.map(({ company }) => company))],
    ofSource: [...new Set(names.map(({ source }) => source))],
    ofSubject: [...new Set(names.map(({ subject }) => subject))],
    limit,
  });
  return rows.filter((row) => wanted.has(documentId(row))).map(eventOfRow);
}
