import type { FinanceEvent } from '../../model/event.ts';
import { joinKeysOf } from '../../model/key.ts';
import { parseInstant } from '../../model/time.ts';
import { rowOfHead } from './finance-event-rows.ts';
import { type Column, FixedColumn, LowCardinalityColumn, StringColumn } from './native/columns.ts';
import { ArrayColumn, MapColumn, NullableColumn } from './native/nested.ts';
import { encodeBlock } from './native.ts';

/** A Native block and the names of its columns. */
export interface Block {
  readonly columns: readonly string[];
  readonly bytes: Uint8Array;
}

const SCALE = 18;

/** The amount as Decimal(38, 18), scaled; undefined when it has more digits than fit: it is never rounded. */
export function scaledDecimal(amount: string | undefined): bigint | undefined {
  const [, sign, whole, fraction = ''] = /^([+-]?)0*(\d+)(?:\.(\d*?)0*)?$/.exec(amount ?? '') ?? [];
  if (whole === undefined || whole.length > 20 || fraction.length > SCALE) return undefined;
  const scaled = BigInt(whole + fraction.padEnd(SCALE, '0'));
  return sign === '-' ? -scaled : scaled;
}

function nanosOf(event: FinanceEvent): bigint {
  const nanos = parseInstant(event.time);
  if (nanos === undefined) throw new TypeError(`not an instant: ${event.time}`);
  return nanos;
}

/** The milliseconds of an event's receipt; those of a batch are mostly one text. */
function receivedMs(): (event: FinanceEvent) => bigint {
  let [text, ms] = ['', 0n];
  return (event) => {
    if (event.receivedAt !== text) {
      text = event.receivedAt;
      ms = (parseInstant(text) ?? 0n) / 1_000_000n;
    }
    return ms;
  };
}

/** A column and how it takes its value from an event. */
interface Writer<T> {
  readonly name: string;
  readonly column: Column;
  append(from: T): void;
}

function text<T>(name: string, value: (from: T) => string | undefined): Writer<T> {
  const column = new StringColumn();
  return { name, column, append: (from) => column.appendText(value(from) ?? '') };
}

/** For texts of few values. */
function word<T>(name: string, value: (from: T) => string | undefined): Writer<T> {
  const column = new LowCardinalityColumn();
  return { name, column, append: (from) => column.appendText(value(from) ?? '') };
}

function whole<T>(
  name: string,
  type: 'UInt64' | 'Int64' | "DateTime64(9, 'UTC')" | "DateTime64(3, 'UTC')",
  value: (from: T) => bigint,
): Writer<T> {
  const column = new FixedColumn(type);
  return { name, column, append: (from) => column.appendBigint(value(from)) };
}

function decimal<T>(name: string, value: (from: T) => string | undefined): Writer<T> {
  const column = new NullableColumn(new FixedColumn('Decimal(38, 18)'), (inner) => inner.appendBigint(0n));
  const append = (from: T): void => {
    const scaled = scaledDecimal(value(from));
    if (scaled === undefined) column.appendNull();
    else {
      column.inner.appendBigint(scaled);
      column.endRow();
    }
  };
  return { name, column, append };
}

function list<T>(
  name: string,
  inner: StringColumn | LowCardinalityColumn,
  values: (from: T) => readonly string[],
): Writer<T> {
  const column = new ArrayColumn(inner);
  const append = (from: T): void => {
    for (const value of values(from)) inner.appendText(value);
    column.endRow();
  };
  return { name, column, append };
}

function attributes(): Writer<FinanceEvent> {
  const column = new MapColumn(new LowCardinalityColumn(), new StringColumn());
  const append = (event: FinanceEvent): void => {
    for (const [name, value] of Object.entries(event.attributes)) {
      column.keys.appendText(name);
      column.values.appendText(value);
    }
    column.endRow();
  };
  return { name: 'Attributes', column, append };
}

function version(): Writer<FinanceEvent> {
  const column = new FixedColumn('UInt16');
  return { name: 'Version', column, append: (event) => column.appendNumber(event.version) };
}

const blockOf = (writers: readonly Writer<never>[]): Block => ({
  columns: writers.map(({ name }) => name),
  bytes: encodeBlock(new Map(writers.map(({ name, column }) => [name, column]))),
});

/** The rows of `finance_events` of the events. */
export function eventBlock(events: readonly FinanceEvent[]): Block {
  const writers: Writer<FinanceEvent>[] = [
    whole('Batch', 'UInt64', (event) => BigInt(event.batch)),
    text('EventId', (event) => event.id),
    word('Source', (event) => event.source),
    word('Type', (event) => event.type),
    version(),
    whole('Time', "DateTime64(9, 'UTC')", nanosOf),
    whole('ReceivedAt', "DateTime64(3, 'UTC')", receivedMs()),
    whole('Sequence', 'Int64', (event) => BigInt(event.sequence)),
    word('Company', (event) => event.company),
    text('Subject', (event) => event.subject),
    word('IngestPath', (event) => event.ingestPath),
    text('DocNumber', (event) => event.docNumber),
    word('State', (event) => event.state),
    word('Period', (event) => event.period),
    text('PartyKey', (event) => event.partyKey),
    text('AmountText', (event) => event.amount),
    decimal('Amount', (event) => event.amount),
    word('Currency', (event) => event.currency),
    text('CompanyAmountText', (event) => event.companyAmount),
    decimal('CompanyAmount', (event) => event.companyAmount),
    word('CompanyCurrency', (event) => event.companyCurrency),
    text('ActorId', (event) => event.actorId),
    word('ActorKind', (event) => event.actorKind),
    text('TraceId', (event) => event.traceId),
    text('SpanId', (event) => event.spanId),
    text('CorrelationId', (event) => event.correlationId),
    word('Flow', (event) => event.flow),
    list('KeyTypes', new LowCardinalityColumn(), (event) => event.keys.map((key) => key.type)),
    list('KeyValues', new StringColumn(), (event) => event.keys.map((key) => key.value)),
    list('JoinKeys', new StringColumn(), joinKeysOf),
    attributes(),
    text('Data', (event) => event.data),
  ];
  for (const event of events) for (const writer of writers) writer.append(event);
  return blockOf(writers);
}

/** The rows of `document_events` of the events. */
export function documentBlock(events: readonly FinanceEvent[]): Block {
  const writers: Writer<FinanceEvent>[] = [
    text('Subject', (event) => event.subject),
    word('Company', (event) => event.company),
    word('Source', (event) => event.source),
    whole('Time', "DateTime64(9, 'UTC')", nanosOf),
    whole('Batch', 'UInt64', (event) => BigInt(event.batch)),
    text('Event', (event) => JSON.stringify(rowOfHead(event))),
  ];
  for (const event of events) for (const writer of writers) writer.append(event);
  return blockOf(writers);
}

interface KeyRow {
  readonly joinKey: string;
  readonly event: FinanceEvent;
  readonly nanos: bigint;
}

/** The rows of `event_keys` of the events, one a join key, in blocks of at most `maxRows`. */
export function keyBlocks(events: readonly FinanceEvent[], maxRows: number): Block[] {
  const rows = events.flatMap((event) => {
    const nanos = nanosOf(event);
    return joinKeysOf(event).map((joinKey): KeyRow => ({ joinKey, event, nanos }));
  });
  const blocks: Block[] = [];
  for (let at = 0; at < rows.length; at += maxRows) {
    const writers: Writer<KeyRow>[] = [
      text('JoinKey', (row) => row.joinKey),
      word('Company', (row) => row.event.company),
      word('Source', (row) => row.event.source),
      word('Type', (row) => row.event.type),
      whole('Time', "DateTime64(9, 'UTC')", (row) => row.nanos),
      whole('Batch', 'UInt64', (row) => BigInt(row.event.batch)),
      text('EventId', (row) => row.event.id),
      text('Subject', (row) => row.event.subject),
      word('KeyType', (row) => row.joinKey.slice(0, row.joinKey.indexOf(':'))),
    ];
    for (const row of rows.slice(at, at + maxRows)) for (const writer of writers) writer.append(row);
    blocks.push(blockOf(writers));
  }
  return blocks;
}
