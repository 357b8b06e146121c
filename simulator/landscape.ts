import type { Company } from '../model/company.ts';
import { type CloudEvent, cloudEvent, type Fact } from './events.ts';
import { logOfSpan, type SimulatedLog } from './logs.ts';
import type { Service, SimulatedSpan } from './otlp.ts';
import type { Random } from './random.ts';

/** What a span of a document tells; the landscape adds ids and times follow from the document. */
export interface SpanFacts {
  readonly service: Service;
  readonly name: string;
  readonly kind: SimulatedSpan['kind'];
  readonly at: number;
  readonly ms: number;
  readonly attributes?: Readonly<Record<string, string | number>>;
  readonly error?: SimulatedSpan['error'];
}

export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
}

/**
 * What happens in the companies is written down here: facts become CloudEvents, calls become spans, documents get their numbers.
 */
export interface Landscape {
  readonly random: Random;
  fact(company: Company, fact: Fact): void;
  /** Starts a trace, or goes on below `parent`; returns the context for what the span calls. */
  span(facts: SpanFacts, parent?: TraceContext): TraceContext;
  /** A line in a log that belongs to no call; what a call leaves in the log follows from its span. */
  log(line: SimulatedLog): void;
  /** The next number of a counter: `42`. */
  next(counter: string): number;
  /** Takes out what happened before `before` (epoch ms, default: everything), in order of time. */
  take(before?: number): { events: CloudEvent[]; spans: SimulatedSpan[]; logs: SimulatedLog[] };
}

export interface LandscapeOptions {
  /** Nothing later than this (epoch ms) has happened yet; it is left out. */
  readonly until: number;
  /** Begins the ids of its events; two landscapes of one store need different ones. */
  readonly idPrefix?: string;
  /** Where the counters of documents begin. */
  readonly firstNumber?: number;
  /** When a thing of the landscape's time happens, both epoch ms; left out: then. */
  readonly clock?: (ms: number) => number;
}

export function createLandscape(random: Random, options: LandscapeOptions): Landscape {
  const { until, idPrefix = 'sim', firstNumber = 1, clock = (ms: number) => ms } = options;
  let facts: { at: number; event: CloudEvent }[] = [];
  let spans: SimulatedSpan[] = [];
  let lines: SimulatedLog[] = [];
  const counters = new Map<string, number>();
  const next = (counter: string) => {
    const value = counters.get(counter) ?? firstNumber;
    counters.set(counter, value + 1);
    return value;
  };
  return {
    random,
    next,
    fact(company, fact) {
      const id = `${idPrefix}-${fact.system}-${next(`event:${fact.system}`)}`;
      const at = clock(fact.at);
      if (at <= until) facts.push({ at, event: cloudEvent(id, company, { ...fact, at }) });
    },
    span(facts, parent) {
      const context = { traceId: parent?.traceId ?? random.hex(32), spanId: random.hex(16) };
      const start = clock(facts.at);
      if (start + facts.ms <= until) {
        spans.push({
          service: facts.service,
          ...context,
          parentSpanId: parent?.spanId,
          name: facts.name,
          kind: facts.kind,
          start,
          durationMs: facts.ms,
          attributes: facts.attributes ?? {},
          error: facts.error,
        });
      }
      return context;
    },
    log(line) {
      const at = clock(line.at);
      if (at <= until) lines.push({ ...line, at });
    },
    take(before = Number.POSITIVE_INFINITY) {
      const past = Object.groupBy(facts, ({ at }) => (at < before ? 'taken' : 'kept'));
      const done = Object.groupBy(spans, (span) =>
        span.start + span.durationMs < before ? 'taken' : 'kept',
      );
      const written = Object.groupBy(lines, ({ at }) => (at < before ? 'taken' : 'kept'));
      facts = past.kept ?? [];
      spans = done.kept ?? [];
      lines = written.kept ?? [];
      const ended = (done.taken ?? []).sort((a, b) => a.start - b.start);
      return {
        events: (past.taken ?? []).sort((a, b) => a.at - b.at).map(({ event }) => event),
        spans: ended,
        logs: [...(written.taken ?? []), ...ended.flatMap((span) => logOfSpan(span) ?? [])].sort(
          (a, b) => a.at - b.at,
        ),
      };
    },
  };
}
