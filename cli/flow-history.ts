import { z } from 'zod';
import { backtest } from '../analyzer/backtest/backtest.ts';
import { type Discovered, Discovery } from '../analyzer/backtest/discover.ts';
import { type Learned, Learning } from '../analyzer/backtest/learn.ts';
import { measureRisks, Survival } from '../analyzer/backtest/survival.ts';
import { type CaseEvent, caseEventOf, inEventOrder, isSameSubject } from '../analyzer/detect/case-event.ts';
import { casesOf } from '../analyzer/detect/cases.ts';
import { company } from '../model/company.ts';
import { flow } from '../model/flow.ts';
import type { Obligation } from '../model/obligation.ts';
import { formatInstant, nanosOf, parseInstant } from '../model/time.ts';
import { listSources } from '../store/postgres/sources.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

/** What commands learn from the stored history; each reads it once and changes nothing. */

const question = {
  flows: z.array(flow),
  companies: z.array(company),
  asOf: z.string(),
  source: z.string().optional(),
};
const learnArgs = z.strictObject(question);

const nanos = (text: string): bigint => parseInstant(text) ?? 0n;

/** How long answers took, by rule and company, and the deadline that this proposes. */
export const learnTask: Task<Stores, z.infer<typeof learnArgs>, number, Learned[]> = {
  name: 'flows-learn',
  args: learnArgs,
  async run({ postgres, events }, { asOf, ...rest }, report) {
    const learning = new Learning();
    await backtest(
      { ...rest, asOf: nanos(asOf) },
      {
        events,
        sources: await listSources(postgres),
        now: nanosOf(new Date()),
        onProgress: report,
        onObligation: (obligation, rule, owner) => learning.add(rule, owner, obligation),
      },
    );
    return learning.result();
  },
};

const discoverArgs = z.strictObject({
  asOf: z.string(),
  source: z.string().optional(),
  by: z.array(z.string()),
  support: z.int().min(2),
  confidence: z.number().min(0.5).max(1),
});

/** Follow-ups that nearly always come, of cases by subject or by keys. */
export const discoverTask: Task<Stores, z.infer<typeof discoverArgs>, number, Discovered[]> = {
  name: 'flows-discover',
  args: discoverArgs,
  async run({ events }, { asOf, source, by, support, confidence }, report) {
    const discovery = new Discovery();
    const isBySubject = by.every((type) => type === 'subject');
    let read = 0;
    let kept: CaseEvent[] = [];
    const add = (): void => {
      if (kept.length > 0) discovery.add(kept.sort(inEventOrder));
      kept = [];
    };
    const scanned = events.scan({
      asOf: nanos(asOf),
      types: ['*'],
      ...(source ? { sources: [source] } : {}),
    });
    for await (const stored of scanned) {
      const event = caseEventOf(stored);
      const last = kept.at(-1);
      if (isBySubject && last && !isSameSubject(last, event)) add();
      kept.push(event);
      read += 1;
      if (read % 50_000 === 0) report(read);
    }
    if (isBySubject) add();
    else for (const found of casesOf({ id: 'discover', by, kind: 'response' }, kept)) discovery.add(found);
    return discovery.result({ support, confidence });
  },
};

/** Something that waits, and the chance that it will breach. */
export interface Prediction {
  readonly rule: string;
  readonly company: string;
  readonly subject: string;
  readonly anchorAt: string;
  readonly dueAt: string;
  readonly amount: string | null;
  readonly currency: string | null;
  /** From 0 to 1: the share of earlier ones that waited as long as this has, and then were not answered in time. */
  readonly risk: number;
  /** Earlier ones that this rests on. */
  readonly n: number;
}

export interface Predictions {
  readonly pending: readonly Prediction[];
  /** How well such risks told breaches in the past, at half of the allowed time, learned from what was before. */
  readonly measured: Readonly<Record<string, ReturnType<typeof measureRisks>>>;
}

/** Earlier obligations below which no risk is told. */
const LEAST = 30;
/** Part of the past that is learned from, when the rest measures. */
const TRAIN = 0.6;

/** The chance of each pending obligation to breach, from how long earlier ones of its rule and company took; and how well such chances did. */
export const predictTask: Task<Stores, z.infer<typeof learnArgs>, number, Predictions> = {
  name: 'flows-predict',
  args: learnArgs,
  async run({ postgres, events }, { asOf, ...rest }, report) {
    const at = nanos(asOf);
    const seen = new Map<string, Obligation[]>();
    await backtest(
      { ...rest, asOf: at },
      {
        events,
        sources: await listSources(postgres),
        now: nanosOf(new Date()),
        onProgress: report,
        onObligation(obligation) {
          if (obligation.kind !== 'response' && obligation.kind !== 'state-age') return;
          const key = `${obligation.rule}\n${obligation.company}`;
          seen.set(key, [...(seen.get(key) ?? []), obligation]);
        },
      },
    );
    return predictionsOf([...seen.values()], at);
  },
};

export function predictionsOf(groups: readonly (readonly Obligation[])[], at: bigint): Predictions {
  const pending: Prediction[] = [];
  const said = new Map<string, { risk: number; breached: boolean }[]>();
  for (const all of groups) {
    const first = all[0];
    if (!first) continue;
    const survival = new Survival();
    for (const obligation of all) survival.add(obligation, at);
    if (survival.count < LEAST) continue;
    for (const one of all) {
      if (one.state !== 'pending') continue;
      const risk = survival.risk(Number(at - one.anchorAt), Number(one.dueAt - one.anchorAt));
      pending.push({
        rule: one.rule,
        company: one.company,
        subject: one.subject,
        anchorAt: formatInstant(one.anchorAt),
        dueAt: formatInstant(one.dueAt),
        amount: one.amount ?? null,
        currency: one.currency ?? null,
        risk: Math.round(risk * 1000) / 1000,
        n: survival.count,
      });
    }
    said.set(first.rule, [...(said.get(first.rule) ?? []), ...measured(all)]);
  }
  pending.sort((a, b) => b.risk - a.risk || (a.dueAt < b.dueAt ? -1 : 1));
  return {
    pending,
    measured: Object.fromEntries([...said].map(([rule, list]) => [rule, measureRisks(list)])),
  };
}

/** Risks that would have been told at half of the allowed time of the later obligations, learned from those decided before. */
function measured(all: readonly Obligation[]): { risk: number; breached: boolean }[] {
  const decided = all
    .filter(({ state }) => state === 'satisfied' || state === 'late' || state === 'open')
    .sort((a, b) => (a.anchorAt < b.anchorAt ? -1 : 1));
  const cut = Math.floor(decided.length * TRAIN);
  const boundary = decided[cut]?.anchorAt;
  if (boundary === undefined || cut < LEAST) return [];
  const survival = new Survival();
  for (const one of decided.slice(0, cut)) {
    const { state, anchorAt, answeredAt } = one;
    const isKnown = answeredAt !== undefined && answeredAt <= boundary;
    survival.add({ state, anchorAt, answeredAt: isKnown ? answeredAt : undefined }, boundary);
  }
  return decided.slice(cut).flatMap(({ anchorAt, dueAt, answeredAt, state }) => {
    const half = (dueAt - anchorAt) / 2n;
    if (answeredAt !== undefined && answeredAt <= anchorAt + half) return [];
    const risk = survival.risk(Number(half), Number(dueAt - anchorAt));
    return [{ risk, breached: state !== 'satisfied' }];
  });
}
