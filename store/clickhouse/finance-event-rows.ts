import { z } from 'zod';
import { type EventHead, type FinanceEvent, ingestPath } from '../../model/event.ts';
import { formatInstant, parseInstant } from '../../model/time.ts';

/** The columns of `finance_events` as they are read: instants and whole numbers as text, for a double would bend them. */
export const EVENT_COLUMNS = `toString(Batch) AS batch, EventId AS id, Source AS source, Type AS type, Version AS version,
  toString(toUnixTimestamp64Nano(Time)) AS timeNs, toString(toUnixTimestamp64Milli(ReceivedAt)) AS receivedMs,
  toString(Sequence) AS sequence, Company AS company, Subject AS subject, IngestPath AS ingestPath,
  DocNumber AS docNumber, State AS state, Period AS period, PartyKey AS partyKey, AmountText AS amount,
  Currency AS currency, CompanyAmountText AS companyAmount, CompanyCurrency AS companyCurrency, ActorId AS actorId,
  ActorKind AS actorKind, TraceId AS traceId, SpanId AS spanId, CorrelationId AS correlationId, Flow AS flow,
  KeyTypes AS keyTypes, KeyValues AS keyValues, Attributes AS attributes, Data AS data`;

const text = z.string();

/** One row of EVENT_COLUMNS; an empty string means absent. */
export const eventRow = z.object({
  batch: text,
  id: text,
  source: text,
  type: text,
  version: z.number(),
  timeNs: text,
  receivedMs: text,
  sequence: text,
  company: text,
  subject: text,
  ingestPath,
  docNumber: text,
  state: text,
  period: text,
  partyKey: text,
  amount: text,
  currency: text,
  companyAmount: text,
  companyCurrency: text,
  actorId: text,
  actorKind: text,
  traceId: text,
  spanId: text,
  correlationId: text,
  flow: text,
  keyTypes: z.array(text),
  keyValues: z.array(text),
  attributes: z.record(text, text),
  data: text,
});
export type EventRow = z.infer<typeof eventRow>;

/** The same without the payload, as `document_events` has it. */
export const headRow = eventRow.omit({ data: true });
export type HeadRow = z.infer<typeof headRow>;

/** What judgement takes of an event: no payload, and its time as epoch nanoseconds. */
export type EventFacts = Omit<
  FinanceEvent,
  | 'version'
  | 'time'
  | 'receivedAt'
  | 'batch'
  | 'state'
  | 'actorId'
  | 'actorKind'
  | 'spanId'
  | 'correlationId'
  | 'flow'
  | 'data'
> & { readonly time: bigint };

/** The columns of `factsTuple`, in its order. */
export const FACTS_COLUMNS = `EventId, Source, Type, toString(toUnixTimestamp64Nano(Time)), toString(Sequence), Company,
  Subject, IngestPath, DocNumber, Period, PartyKey, AmountText, Currency, CompanyAmountText, CompanyCurrency, TraceId,
  KeyTypes, KeyValues, Attributes`;

/** One row of FACTS_COLUMNS; an empty string means absent. */
export const factsTuple = z.tuple([
  text, // id
  text, // source
  text, // type
  text, // timeNs
  text, // sequence
  text, // company
  text, // subject
  ingestPath,
  text, // docNumber
  text, // period
  text, // partyKey
  text, // amount
  text, // currency
  text, // companyAmount
  text, // companyCurrency
  text, // traceId
  z.array(text), // keyTypes
  z.array(text), // keyValues
  z.record(text, text), // attributes
]);

/** The facts of a row. */
export const factsOf = (row: z.infer<typeof factsTuple>): EventFacts => ({
  id: row[0],
  source: row[1],
  type: row[2],
  time: BigInt(row[3]),
  sequence: row[4],
  company: row[5],
  subject: row[6],
  ingestPath: row[7],
  docNumber: row[8] || undefined,
  period: row[9] || undefined,
  partyKey: row[10] || undefined,
  amount: row[11] || undefined,
  currency: row[12] || undefined,
  companyAmount: row[13] || undefined,
  companyCurrency: row[14] || undefined,
  traceId: row[15] || undefined,
  keys: row[16].map((type, i) => ({ type, value: row[17][i] ?? '' })),
  attributes: row[18],
});

const OPTIONAL = [
  'docNumber',
  'state',
  'period',
  'partyKey',
  'amount',
  'currency',
  'companyAmount',
  'companyCurrency',
  'actorId',
  'actorKind',
  'traceId',
  'spanId',
  'correlationId',
  'flow',
] as const;

/** The event of a row. */
export const eventOfRow = (row: EventRow): FinanceEvent => ({ ...headOfRow(row), data: row.data });

export function headOfRow(row: HeadRow): EventHead {
  const optional: Partial<Record<(typeof OPTIONAL)[number], string>> = {};
  for (const name of OPTIONAL) if (row[name] !== '') optional[name] = row[name];
  return {
    id: row.id,
    source: row.source,
    type: row.type,
    version: row.version,
    time: formatInstant(BigInt(row.timeNs)),
    receivedAt: formatInstant(BigInt(row.receivedMs) * 1_000_000n),
    batch: row.batch,
    sequence: row.sequence,
    company: row.company,
    subject: row.subject,
    ingestPath: row.ingestPath,
    ...optional,
    keys: row.keyTypes.map((type, i) => ({ type, value: row.keyValues[i] ?? '' })),
    attributes: row.attributes,
  };
}

/** The row of an event, as `headOfRow` reads it. */
export function rowOfHead(event: EventHead): HeadRow {
  return {
    batch: event.batch,
    id: event.id,
    source: event.source,
    type: event.type,
    version: event.version,
    timeNs: `${parseInstant(event.time) ?? 0n}`,
    receivedMs: `${(parseInstant(event.receivedAt) ?? 0n) / 1_000_000n}`,
    sequence: event.sequence,
    company: event.company,
    subject: event.subject,
    ingestPath: event.ingestPath,
    docNumber: event.docNumber ?? '',
    state: event.state ?? '',
    period: event.period ?? '',
    partyKey: event.partyKey ?? '',
    amount: event.amount ?? '',
    currency: event.currency ?? '',
    companyAmount: event.companyAmount ?? '',
    companyCurrency: event.companyCurrency ?? '',
    actorId: event.actorId ?? '',
    actorKind: event.actorKind ?? '',
    traceId: event.traceId ?? '',
    spanId: event.spanId ?? '',
    correlationId: event.correlationId ?? '',
    flow: event.flow ?? '',
    keyTypes: event.keys.map(({ type }) => type),
    keyValues: event.keys.map(({ value }) => value),
    attributes: event.attributes,
  };
}
