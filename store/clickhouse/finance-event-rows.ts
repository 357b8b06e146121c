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

/** What judgement takes of an event: its times as epoch nanoseconds, and its payload where that was asked for. */
export type EventFacts = Omit<
  FinanceEvent,
  'version' | 'time' | 'receivedAt' | 'batch' | 'spanId' | 'correlationId' | 'flow'
> & { readonly time: bigint; readonly receivedAt: bigint };

/** The columns of `factsTuple`, in its order; what is given stands for a column. */
export const factsColumns = ({
  data = 'Data',
  attributes = 'Attributes',
  keyTypes = 'KeyTypes',
  keyValues = 'KeyValues',
} = {}): string => `EventId, Source, Type, toString(toUnixTimestamp64Nano(Time)),
  toString(toUnixTimestamp64Milli(ReceivedAt)), toString(Sequence), Company, Subject, IngestPath, DocNumber, State, Period,
  PartyKey, AmountText, Currency, CompanyAmountText, CompanyCurrency, ActorId, ActorKind, TraceId, ${keyTypes}, ${keyValues},
  ${attributes}, ${data}`;

/** One row of `factsColumns`; an empty string means absent. */
export const factsTuple = z.tuple([
  text, // id
  text, // source
  text, // type
  text, // timeNs
  text, // receivedMs
  text, // sequence
  text, // company
  text, // subject
  ingestPath,
  text, // docNumber
  text, // state
  text, // period
  text, // partyKey
  text, // amount
  text, // currency
  text, // companyAmount
  text, // companyCurrency
  text, // actorId
  text, // actorKind
  text, // traceId
  z.array(text), // keyTypes
  z.array(text), // keyValues
  z.record(text, text), // attributes
  text, // data
]);

/** Texts of which there are few different ones, each kept once: of ten thousand rows they would be a hundred thousand texts. */
const KEPT = new Map<string, string>();
const MOST_KEPT = 10_000;

function once(text: string): string {
  const kept = KEPT.get(text);
  if (kept !== undefined) return kept;
  if (KEPT.size >= MOST_KEPT) KEPT.clear();
  KEPT.set(text, text);
  return text;
}

/** The facts of a row. */
export const factsOf = (row: z.infer<typeof factsTuple>): EventFacts => ({
  id: row[0],
  source: once(row[1]),
  type: once(row[2]),
  time: BigInt(row[3]),
  receivedAt: BigInt(row[4]) * 1_000_000n,
  sequence: row[5],
  company: once(row[6]),
  subject: row[7],
  ingestPath: row[8],
  docNumber: row[9] || undefined,
  state: row[10] ? once(row[10]) : undefined,
  period: row[11] ? once(row[11]) : undefined,
  partyKey: row[12] ? once(row[12]) : undefined,
  amount: row[13] || undefined,
  currency: row[14] ? once(row[14]) : undefined,
  companyAmount: row[15] || undefined,
  companyCurrency: row[16] ? once(row[16]) : undefined,
  actorId: row[17] ? once(row[17]) : undefined,
  actorKind: row[18] ? once(row[18]) : undefined,
  traceId: row[19] || undefined,
  keys: row[20].map((type, i) => ({ type: once(type), value: row[21][i] ?? '' })),
  attributes: row[22],
  data: row[23],
});

/** Facts with the batch under which they came. */
export type BatchFacts = EventFacts & { readonly batch: string };

/** The facts of an event as ClickHouse gives them out again: with text that is well formed, and nothing of a key but its type and value. */
export function factsOfEvent(event: FinanceEvent, hasData: boolean): BatchFacts {
  const optional = (text: string | undefined): string | undefined => text?.toWellFormed() || undefined;
  return {
    id: event.id.toWellFormed(),
    source: event.source.toWellFormed(),
    type: event.type,
    time: parseInstant(event.time) ?? 0n,
    receivedAt: ((parseInstant(event.receivedAt) ?? 0n) / 1_000_000n) * 1_000_000n,
    sequence: `${BigInt(event.sequence)}`,
    company: event.company.toWellFormed(),
    subject: event.subject.toWellFormed(),
    ingestPath: event.ingestPath,
    docNumber: optional(event.docNumber),
    state: optional(event.state),
    period: optional(event.period),
    partyKey: optional(event.partyKey),
    amount: optional(event.amount),
    currency: optional(event.currency),
    companyAmount: optional(event.companyAmount),
    companyCurrency: optional(event.companyCurrency),
    actorId: optional(event.actorId),
    actorKind: optional(event.actorKind),
    traceId: optional(event.traceId),
    keys: event.keys.map(({ type, value }) => ({ type: type.toWellFormed(), value: value.toWellFormed() })),
    attributes: Object.fromEntries(
      Object.entries(event.attributes).map(([name, value]) => [name.toWellFormed(), value.toWellFormed()]),
    ),
    data: hasData ? event.data.toWellFormed() : '',
    batch: event.batch,
  };
}

/** A row of `factsColumns`, then the batch. */
export const batchFactsTuple = z.tuple([...factsTuple.def.items, text]);

export const batchFactsOf = (row: z.infer<typeof batchFactsTuple>): BatchFacts => ({
  ...factsOf(row as unknown as z.infer<typeof factsTuple>),
  batch: row[24],
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
