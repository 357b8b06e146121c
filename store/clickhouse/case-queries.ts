import { z } from 'zod';
import type { DocumentName } from '../../model/case.ts';
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
  sql: `SELECT Company AS company, Source AS source, Subject AS subject, toString(toUnixTimestamp64Nano(min(Time))) AS first
    FROM event_keys WHERE JoinKey IN {joinKeys:Array(String)}
      AND ({everyCompany:UInt8} = 1 OR Company IN {companies:Array(String)})
    GROUP BY company, source, subject ORDER BY min(Time), company, source, subject LIMIT {limit:UInt32}`,
  params: z.object({ ...scope, joinKeys: texts, limit: z.int() }),
  row: z.object({ company: z.string(), source: z.string(), subject: z.string(), first: z.string() }),
});

const events = defineQuery({
  name: 'cases.events',
  sql: `SELECT ${EVENT_COLUMNS} FROM finance_events
    WHERE (Company, Source, Subject) IN (SELECT arrayJoin(arrayZip({ofCompany:Array(String)}, {ofSource:Array(String)},
      {ofSubject:Array(String)})))
    ORDER BY Time, Sequence, EventId LIMIT {limit:UInt32}`,
  params: z.object({ ofCompany: texts, ofSource: texts, ofSubject: texts, limit: z.int() }),
  row: eventRow,
});

/**
 * The documents of the companies whose events have one of the join keys, the earliest first, at most `limit`: their names
 * only, as thousands of events may share a key.
 */
export async function documentsOfKeys(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  joinKeys: readonly string[],
  limit: number,
): Promise<DocumentName[]> {
  const found: (DocumentName & { first: bigint })[] = [];
  for (const chunk of chunksOf(joinKeys)) {
    const asked = { ...scopeOf(companies), joinKeys: chunk, limit };
    for (const { first, ...name } of await clickhouse.query(documents, asked))
      found.push({ ...name, first: BigInt(first) });
  }
  return found.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
}

/** The first `limit` events of the documents, in the order of events. */
export async function eventsOfDocuments(
  clickhouse: ClickHouse,
  names: readonly DocumentName[],
  limit: number,
): Promise<FinanceEvent[]> {
  const rows = await clickhouse.query(events, {
    ofCompany: names.map(({ company }) => company),
    ofSource: names.map(({ source }) => source),
    ofSubject: names.map(({ subject }) => subject),
    limit,
  });
  return rows.map(eventOfRow);
}
