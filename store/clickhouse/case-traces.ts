import type { EventHead } from '../../model/event.ts';
import type { LogHead } from '../../model/log.ts';
import type { CompanyScope } from '../../model/principal.ts';
import type { Span, SpanHead } from '../../model/span.ts';
import { NANOS_PER_DAY, parseInstant } from '../../model/time.ts';
import type { ClickHouse } from './client.ts';
import { openLogs } from './logs.ts';
import { type KeyedSpan, keysOfTraces, spansBesideTraces, type TraceKeys } from './span-keys.ts';
import { linesOfTraces, type TraceLines } from './trace-lines.ts';
import { inScope, type ReadableTrace } from './trace-rights.ts';

/** Reads spans, each once however often it was sent. */
export interface TraceReads {
  traceById(traceId: string): Promise<readonly Span[]>;
  /** Of each trace at most `limit` spans, 1,000. */
  spansOfTraces(traceIds: readonly string[], options?: { limit?: number }): Promise<readonly Span[]>;
}

export interface CaseReads {
  readonly clickhouse: ClickHouse;
  readonly traces: TraceReads;
}

/** So many traces of a case are opened at most, and so many spans and log records of each. */
const MAX_TRACES = 50;
const SPANS_A_TRACE = 500;
const LOGS_A_TRACE = 100;
/** Of the spans that hold one key so many. */
const SPANS_A_KEY = 50;
/** A trace of which the spans hold more keys that the case does not have is the work on many documents. */
const MAX_OTHER_KEYS = 20;

export interface CaseTraces {
  readonly traceIds: readonly string[];
  readonly spans: readonly SpanHead[];
  readonly logs: readonly LogHead[];
  readonly truncated: boolean;
}

interface Sought {
  readonly events: readonly EventHead[];
  /** Join keys that spans may hold. */
  readonly keys: readonly string[];
  /** Traces that the case was asked for by. */
  readonly asked: readonly string[];
}

/** When a trace was, nanoseconds since 1970; undefined: anywhere. */
type When = ReadonlyMap<string, bigint | undefined>;

/**
 * The traces of a case: that it was asked for by, that its events name, and of which a span holds one of its keys. Those that
 * events name are looked for within two hours of the event, to the whole day. A trace that is the work on many documents is
 * a link: of it only the spans of the case are shown, and its log records are not.
 */
export async function findCaseTraces(
  reads: CaseReads,
  companies: CompanyScope,
  { events, keys, asked }: Sought,
): Promise<CaseTraces> {
  const named = new Map<string, bigint | undefined>(asked.map((id) => [id, undefined]));
  for (const { traceId, time } of events)
    if (traceId && !named.has(traceId)) named.set(traceId, parseInstant(time) ?? 0n);
  const beside = spansBesideTraces(reads.clickhouse, companies, keys, SPANS_A_KEY, [...named.keys()]);
  const [{ spans: keyed }, first] = await Promise.all([
    beside,
    open(reads, companies, named, { room: MAX_TRACES, names: () => beside.then(({ traces }) => traces) }),
  ]);
  const further = new Map(
    keyed
      .filter(({ traceId }) => !named.has(traceId))
      .map(({ traceId, startNs }) => [traceId, BigInt(startNs)]),
  );
  const second =
    further.size === 0
      ? NOTHING
      : await open(reads, companies, further, {
          room: MAX_TRACES - first.opened,
          names: () => keysOfTraces(reads.clickhouse, [...further.keys()]),
        });
  const own = new Set(keys);
  const readable = [...first.readable, ...second.readable];
  const ofMany = new Set(
    readable
      .filter(({ traceId, keys: held }) => !asked.includes(traceId) && othersOf(held, own) > MAX_OTHER_KEYS)
      .map(({ traceId }) => traceId),
  );
  const isOwn = ownSpans(events, keyed);
  const spans = [...first.spans, ...second.spans];
  const perTrace = Map.groupBy(spans, ({ traceId }) => traceId);
  const perKey = Map.groupBy(keyed, ({ key }) => key);
  return {
    traceIds: readable.map(({ traceId }) => traceId),
    spans: spans.filter((span) => !ofMany.has(span.traceId) || isOwn(span)),
    logs: [...first.logs, ...second.logs].filter(({ traceId }) => !ofMany.has(traceId)),
    truncated:
      readable.length > MAX_TRACES ||
      [...perKey.values()].some((list) => list.length === SPANS_A_KEY) ||
      [...perTrace.values()].some((list) => list.length === SPANS_A_TRACE),
  };
}

interface Opened {
  readonly readable: readonly ReadableTrace[];
  /** How many of them were opened. */
  readonly opened: number;
  readonly spans: readonly SpanHead[];
  readonly logs: readonly LogHead[];
}
const NO_LINES: TraceLines = { spans: [], logs: [] };
const NOTHING: Opened = { readable: [], opened: 0, spans: [], logs: [] };

/** Reads traces beside the question of who may, which `names` answers: what may not be read is dropped. */
async function open(
  reads: CaseReads,
  companies: CompanyScope,
  when: When,
  { room, names }: { readonly room: number; readonly names: () => Promise<ReadonlyMap<string, TraceKeys>> },
): Promise<Opened> {
  if (when.size === 0) return NOTHING;
  const { clickhouse, traces } = reads;
  const ids = [...when.keys()].slice(0, Math.max(0, room));
  const anywhere = ids.filter((id) => when.get(id) === undefined);
  const dated = ids.filter((id) => when.get(id) !== undefined);
  const days = daysAround(dated.map((id) => when.get(id) ?? 0n));
  const logs = openLogs(clickhouse);
  const first = { spans: SPANS_A_TRACE, logs: LOGS_A_TRACE };
  const [named, lines, ...parts] = await Promise.all([
    names(),
    dated.length > 0 ? linesOfTraces(clickhouse, { days, traceIds: dated }, first) : NO_LINES,
    anywhere.length > 0 ? traces.spansOfTraces(anywhere, { limit: SPANS_A_TRACE }) : [],
    anywhere.length > 0 ? logs.logsOfTraces(anywhere, { limit: LOGS_A_TRACE }) : [],
  ]);
  const readable = inScope(companies, [...when.keys()], named);
  const may = new Set(readable.map(({ traceId }) => traceId));
  const isReadable = ({ traceId }: { readonly traceId: string }): boolean => may.has(traceId);
  return {
    readable,
    opened: ids.filter((id) => may.has(id)).length,
    spans: [...lines.spans, ...parts[0]].filter(isReadable),
    logs: [...lines.logs, ...parts[1]].filter(isReadable),
  };
}

/** The days (since 1970, UTC) on which a trace may lie in which something happened at these instants: two hours more on either side. */
function daysAround(instants: readonly bigint[]): number[] {
  const days = new Set<number>();
  for (const at of instants)
    for (const edge of [at - AROUND, at + AROUND]) if (edge >= 0n) days.add(Number(edge / NANOS_PER_DAY));
  return [...days].sort((a, b) => a - b);
}
const AROUND = NANOS_PER_DAY / 12n;

const othersOf = (held: readonly string[], own: ReadonlySet<string>): number =>
  held.filter((key) => !own.has(key)).length;

/** Is it a span that an event names, or that holds a key of the case? */
function ownSpans(events: readonly EventHead[], keyed: readonly KeyedSpan[]): (span: SpanHead) => boolean {
  const ids = new Set([
    ...events.map(({ traceId, spanId }) => `${traceId} ${spanId}`),
    ...keyed.map(({ traceId, spanId }) => `${traceId} ${spanId}`),
  ]);
  return ({ traceId, spanId }) => ids.has(`${traceId} ${spanId}`);
}
