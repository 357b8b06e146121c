import type { Company } from '../../model/company.ts';
import { typeMatcher } from '../../model/event-pattern.ts';
import { needsData, typesOf } from '../../model/expectation.ts';
import type { Flow } from '../../model/flow.ts';
import { formatInstant, type Instant } from '../../model/time.ts';
import { medianOf } from '../detect/anomaly/running.ts';
import type { StoredEvent } from '../detect/case-event.ts';
import { type BacktestDeps, backtest } from './backtest.ts';

export interface SweepQuestion {
  readonly flows: readonly Flow[];
  readonly companies: readonly Company[];
  readonly source?: string | undefined;
  /** Epoch nanoseconds: judged at `from`, then every `everyNanos`, and at `to`. */
  readonly from: bigint;
  readonly to: bigint;
  readonly everyNanos: bigint;
}

/** An exception as it would have been raised: at the first judgement that found it open, until the first that did not. */
export interface Raised {
  readonly rule: string;
  readonly company: string;
  readonly subject: string;
  readonly occurrence: string;
  readonly raisedAt: Instant;
  /** Null: it is open at the end. */
  readonly endedAt: Instant | null;
  readonly amount: string | null;
  readonly currency: string | null;
  readonly why: string;
}

export interface SweptRule {
  readonly id: string;
  readonly raised: number;
  /** Open at the end. */
  readonly open: number;
  /** Days for which an ended one stood open: the median; null of none. */
  readonly medianDays: number | null;
  readonly alertsADay: number;
}

export interface Sweep {
  readonly from: Instant;
  readonly to: Instant;
  readonly judgements: number;
  readonly rules: readonly SweptRule[];
  readonly raised: readonly Raised[];
}

/** So many judgements at most: each one judges the whole history up to it. */
export const MOST_JUDGEMENTS = 1_000;
const DAY = 86_400_000_000_000n;

/** The instants of a sweep, in order. */
export function instantsOf({
  from,
  to,
  everyNanos,
}: Pick<SweepQuestion, 'from' | 'to' | 'everyNanos'>): bigint[] {
  const instants: bigint[] = [];
  for (let at = from; at < to; at += everyNanos) instants.push(at);
  return [...instants, to];
}

/**
 * What the flows would have raised over a span of stored history, judged again and again as the days went by: when, for how
 * long, and how many alerts a day that makes. Events are read once and held; as of each instant only those up to it exist.
 */
export async function sweep(question: SweepQuestion, deps: BacktestDeps): Promise<Sweep> {
  const held = await readAll(question, deps);
  const instants = instantsOf(question);
  const raised = new Map<
    string,
    { at: bigint; ended: bigint | undefined; shown: Omit<Raised, 'raisedAt' | 'endedAt'> }[]
  >();
  for (const at of instants) {
    const open = new Set<string>();
    await backtest(
      { flows: question.flows, companies: question.companies, asOf: at, source: question.source },
      {
        sources: deps.sources,
        now: deps.now,
        events: { scan: ({ types }) => upTo(held, at, types) },
        onObligation(obligation) {
          if (obligation.state !== 'open') return;
          const { id, rule, company, subject, occurrence, amount, currency } = obligation;
          open.add(id);
          const known = raised.get(id) ?? [];
          raised.set(id, known);
          const last = known.at(-1);
          if (last && last.ended === undefined) return;
          const shown = {
            rule,
            company,
            subject,
            occurrence,
            amount: amount ?? null,
            currency: currency ?? null,
            why: obligation.why,
          };
          known.push({ at, ended: undefined, shown });
        },
      },
    );
    for (const [id, all] of raised) {
      const last = all.at(-1);
      if (last && last.ended === undefined && !open.has(id)) last.ended = at;
    }
  }
  const all = [...raised.values()].flat().sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const days = Math.max(1, Number(question.to - question.from) / Number(DAY));
  const rules = question.flows
    .flatMap(({ expectations }) => expectations)
    .filter(({ enabled }) => enabled)
    .map(({ id }): SweptRule => {
      const mine = all.filter(({ shown }) => shown.rule === id);
      const lasted = mine.flatMap(({ at, ended }) =>
        ended === undefined ? [] : [Number(ended - at) / Number(DAY)],
      );
      return {
        id,
        raised: mine.length,
        open: mine.length - lasted.length,
        medianDays: lasted.length === 0 ? null : Number(medianOf(lasted).toFixed(2)),
        alertsADay: Number((mine.length / days).toFixed(3)),
      };
    });
  return {
    from: formatInstant(question.from),
    to: formatInstant(question.to),
    judgements: instants.length,
    rules,
    raised: all.map(({ at, ended, shown }) => ({
      ...shown,
      raisedAt: formatInstant(at),
      endedAt: ended === undefined ? null : formatInstant(ended),
    })),
  };
}

async function readAll(
  { flows, to, source }: SweepQuestion,
  { events, onProgress }: BacktestDeps,
): Promise<StoredEvent[]> {
  const rules = flows.flatMap(({ expectations }) => expectations);
  const types = [...new Set(rules.flatMap(typesOf))];
  if (types.length === 0) return [];
  const dataTypes = rules.flatMap((rule) => (needsData(rule) ? typesOf(rule) : []));
  const held: StoredEvent[] = [];
  for await (const event of events.scan({
    asOf: to,
    types,
    dataTypes,
    ...(source ? { sources: [source] } : {}),
  })) {
    held.push(event);
    if (held.length % 50_000 === 0) onProgress?.(held.length);
  }
  return held;
}

async function* upTo(
  held: readonly StoredEvent[],
  at: bigint,
  types: readonly string[],
): AsyncGenerator<StoredEvent> {
  const matches = typeMatcher(types);
  for (const event of held)
    if ((typeof event.time === 'bigint' ? event.time : 0n) <= at && matches(event.type)) yield event;
}

/** How two rule sets differ over the same span: what both raised, and what only one did. */
export interface Comparison {
  readonly rules: readonly {
    readonly id: string;
    readonly both: number;
    readonly onlyFirst: number;
    readonly onlySecond: number;
  }[];
  readonly onlyFirst: readonly Raised[];
  readonly onlySecond: readonly Raised[];
}

/** Compares what two sweeps of the same span raised, by rule, company and subject. */
export function compareSweeps(first: Sweep, second: Sweep): Comparison {
  const keyOf = ({ rule, company, subject, occurrence }: Raised): string =>
    JSON.stringify([rule, company, subject, occurrence]);
  const [a, b] = [
    new Map(first.raised.map((one) => [keyOf(one), one])),
    new Map(second.raised.map((one) => [keyOf(one), one])),
  ];
  const onlyFirst = [...a].filter(([key]) => !b.has(key)).map(([, one]) => one);
  const onlySecond = [...b].filter(([key]) => !a.has(key)).map(([, one]) => one);
  const ids = [...new Set([...a.values(), ...b.values()].map(({ rule }) => rule))].sort();
  return {
    rules: ids.map((id) => ({
      id,
      both: [...a].filter(([key, { rule }]) => rule === id && b.has(key)).length,
      onlyFirst: onlyFirst.filter(({ rule }) => rule === id).length,
      onlySecond: onlySecond.filter(({ rule }) => rule === id).length,
    })),
    onlyFirst,
    onlySecond,
  };
}
