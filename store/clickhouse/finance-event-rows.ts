import { z } from 'zod';
import { type FinanceEvent, ingestPath } from '../../model/event.ts';
import { joinKeysOf } from '../../model/key.ts';
import { formatInstant, type Instant, parseInstant } from '../../model/time.ts';

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
export function eventOfRow(row: EventRow): FinanceEvent {
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
    data: row.data,
  };
}

/** `2018-06-01 00:00:00.123456789`: an instant as ClickHouse reads it into a column of UTC. */
function clickHouseTime(instant: Instant): string {
  const nanos = parseInstant(instant);
  if (nanos === undefined) throw new TypeError(`not an instant: ${instant}`);
  return formatInstant(nanos).replace('T', ' ').replace('Z', '');
}

/** The amount for Decimal(38, 18), or null when it has more digits than fit: it is never rounded. */
export function fittingDecimal(amount: string | undefined): string | null {
  const [, sign, whole, fraction = ''] = /^([+-]?)0*(\d+)(?:\.(\d*?)0*)?$/.exec(amount ?? '') ?? [];
  if (whole === undefined || whole.length > 20 || fraction.length > 18) return null;
  return `${sign === '-' ? '-' : ''}${whole}${fraction && `.${fraction}`}`;
}

/** The row of `finance_events` of an event, and its rows of `event_keys`, one a join key. */
export function rowsOfEvent(event: FinanceEvent): { event: object; keys: object[] } {
  const joinKeys = joinKeysOf(event);
  const time = clickHouseTime(event.time);
  const common = {
    Batch: event.batch,
    EventId: event.id,
    Source: event.source,
    Type: event.type,
    Time: time,
    Company: event.company,
    Subject: event.subject,
  };
  return {
    event: {
      ...common,
      Version: event.version,
      ReceivedAt: clickHouseTime(event.receivedAt).replace(/(\.\d{3})\d*$/, '$1'),
      Sequence: event.sequence,
      IngestPath: event.ingestPath,
      DocNumber: event.docNumber ?? '',
      State: event.state ?? '',
      Period: event.period ?? '',
      PartyKey: event.partyKey ?? '',
      AmountText: event.amount ?? '',
      Amount: fittingDecimal(event.amount),
      Currency: event.currency ?? '',
      CompanyAmountText: event.companyAmount ?? '',
      CompanyAmount: fittingDecimal(event.companyAmount),
      CompanyCurrency: event.companyCurrency ?? '',
      ActorId: event.actorId ?? '',
      ActorKind: event.actorKind ?? '',
      TraceId: event.traceId ?? '',
      SpanId: event.spanId ?? '',
      CorrelationId: event.correlationId ?? '',
      Flow: event.flow ?? '',
      KeyTypes: event.keys.map((key) => key.type),
      KeyValues: event.keys.map((key) => key.value),
      JoinKeys: joinKeys,
      Attributes: event.attributes,
      Data: event.data,
    },
    keys: joinKeys.map((joinKey) => ({
      ...common,
      JoinKey: joinKey,
      KeyType: joinKey.slice(0, joinKey.indexOf(':')),
    })),
  };
}
