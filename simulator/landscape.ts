import type { Company } from '../model/company.ts';
import { type CloudEvent, cloudEvent, type Fact, SOURCES, type System } from './events.ts';
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
 * What happens in the companies is written down here: facts become CloudEvents, calls become spans, documents get their
 * numbers. Facts and spans later than `until` have not happened yet and are left out.
 */
export interface Landscape {
  readonly random: Random;
  readonly until: number;
  fact(company: Company, fact: Fact): void;
  /** Starts a trace, or goes on below `parent`; returns the context for what the span calls. */
  span(facts: SpanFacts, parent?: TraceContext): TraceContext;
  /** The next number of a counter: `42`. */
  next(counter: string): number;
  events(): CloudEvent[];
  spans(): SimulatedSpan[];
}

const SYSTEMS = Object.keys(SOURCES) as System[];

export function createLandscape(random: Random, until: number, idPrefix = 'sim'): Landscape {
  const events: { at: number; event: CloudEvent }[] = [];
  const spans: SimulatedSpan[] = [];
  const counters = new Map<string, number>();
  const next = (counter: string) => {
    const value = (counters.get(counter) ?? 0) + 1;
    counters.set(counter, value);
    return value;
  };
  return {
    random,
    until,
    next,
    fact(company, fact) {
      const number = next(`event:${SYSTEMS.indexOf(fact.system)}`);
      if (fact.at > until) return;
      events.push({ at: fact.at, event: cloudEvent(`${idPrefix}-${fact.system}-${number}`, company, fact) });
    },
    span(facts, parent) {
      const context = { traceId: parent?.traceId ?? random.hex(32), spanId: random.hex(16) };
      if (facts.at + facts.ms <= until) {
        spans.push({
          service: facts.service,
          ...context,
          parentSpanId: parent?.spanId,
          name: facts.name,
          kind: facts.kind,
          start: facts.at,
          durationMs: facts.ms,
          attributes: facts.attributes ?? {},
          error: facts.error,
        });
      }
      return context;
    },
    events: () => events.sort((a, b) => a.at - b.at).map(({ event }) => event),
    spans: () => [...spans].sort((a, b) => a.start - b.start),
  };
}
