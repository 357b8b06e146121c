import { type Company, defaultCompany } from '../../model/company.ts';
import { ClosewatchError } from '../../model/errors.ts';
import { sumByCurrency } from '../../model/money.ts';
import { boundsOf } from '../../model/period.ts';
import { mayReadCompany } from '../../model/principal.ts';
import {
  confidenceOf,
  type ExceptionGroup,
  type Gate,
  gatesOf,
  linesOf,
  type SeverityLine,
  verdictOf,
} from '../../model/readiness.ts';
import { formatInstant } from '../../model/time.ts';
import { isFresh, watermarkAt } from '../../model/watermark.ts';
import { exceptionGroups, openDeadLetters } from '../../store/postgres/readiness-queries.ts';
import { type SourceRow, sourcesOf, streamOf } from '../../store/postgres/source-queries.ts';
import { builder } from './builder.ts';
import { hyphenated, SeverityEnum } from './enums.ts';
import { MoneyRef } from './scalars.ts';
import { SourceRef } from './source.ts';

const VerdictEnum = builder.enumType('ReadinessVerdict', {
  values: hyphenated(['ready', 'not-ready', 'unknown'] as const),
});
const GateState = builder.enumType('GateState', { values: ['passed', 'blocked', 'unknown'] as const });

const GateRef = builder.objectRef<Gate>('Gate').implement({
  description: 'A hard gate: one that is blocked means not ready; one that nobody can tell is never passed.',
  fields: (t) => ({
    id: t.exposeID('id'),
    title: t.exposeString('title'),
    state: t.expose('state', { type: GateState }),
    detail: t.exposeString('detail'),
  }),
});

const SeverityLineRef = builder.objectRef<SeverityLine>('SeverityLine').implement({
  description: 'Open exceptions of one severity.',
  fields: (t) => ({
    severity: t.expose('severity', { type: SeverityEnum }),
    count: t.exposeInt('count'),
    blockers: t.exposeInt('blockers', { description: 'How many of them block the close' }),
    sums: t.field({ type: [MoneyRef], resolve: ({ sums }) => [...sums] }),
  }),
});

interface Readiness {
  readonly company: Company;
  readonly period: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly at: bigint;
  readonly gates: readonly Gate[];
  readonly groups: readonly ExceptionGroup[];
  readonly sources: readonly SourceRow[];
}

const ReadinessRef = builder.objectRef<Readiness>('Readiness').implement({
  description: 'Can the books of a company and period be closed, and what stands in the way?',
  fields: (t) => ({
    company: t.string({ resolve: ({ company }) => company.key }),
    period: t.exposeString('period'),
    startsAt: t.field({ type: 'Instant', resolve: ({ start }) => formatInstant(start) }),
    endsAt: t.field({ type: 'Instant', description: 'Exclusive', resolve: ({ end }) => formatInstant(end) }),
    at: t.field({
      type: 'Instant',
      description: 'When it was judged',
      resolve: ({ at }) => formatInstant(at),
    }),
    verdict: t.field({ type: VerdictEnum, resolve: ({ gates }) => verdictOf(gates) }),
    confidence: t.float({
      description: '0 to 1: the share of gates that could be told, times 0.8 without materiality limits',
      resolve: ({ gates, company }) => confidenceOf(gates, company.materiality !== undefined),
    }),
    materialityKnown: t.boolean({ resolve: ({ company }) => company.materiality !== undefined }),
    gates: t.field({ type: [GateRef], resolve: ({ gates }) => [...gates] }),
    openBySeverity: t.field({
      type: [SeverityLineRef],
      description:
        'Every severity, the worst first; exceptions of documents that began before the period’s end',
      resolve: ({ groups }) => linesOf(groups),
    }),
    waived: t.field({
      type: [MoneyRef],
      description: 'Money of waived exceptions: it stays visible',
      resolve: ({ groups }) => sumByCurrency(groups.filter((group) => group.state === 'waived')),
    }),
    sources: t.field({ type: [SourceRef], resolve: ({ sources }) => [...sources] }),
  }),
});

/** A stream is complete for a period when it is so up to the period's end, or, while that lies ahead, as of now. */
function isCompleteFor(row: SourceRow, end: bigint, now: bigint): boolean {
  const stream = streamOf(row);
  const mark = watermarkAt(stream, now);
  if (mark !== undefined && mark >= end) return true;
  return end > now - stream.latenessNanos && isFresh(stream, now);
}

builder.queryFields((t) => ({
  readiness: t.field({
    type: ReadinessRef,
    args: {
      company: t.arg.string({ required: true }),
      period: t.arg.string({ required: true, description: 'A month, 2026-05' }),
    },
    resolve: async (_, args, { actor, companies, now, postgres, scope }) => {
      if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(args.period))
        throw new ClosewatchError('request.malformed', 'a period is a month, such as 2026-05');
      if (!mayReadCompany(actor, args.company))
        throw new ClosewatchError('not-found', `there is no company ${args.company}`);
      const company = companies().find(({ key }) => key === args.company) ?? defaultCompany(args.company);
      const { start, end } = boundsOf(args.period, company);
      const [groups, sources, deadLetters] = await Promise.all([
        exceptionGroups(postgres, company.key, end),
        sourcesOf(postgres, { companies: scope, company: company.key }),
        openDeadLetters(postgres, company.key),
      ]);
      const gates = gatesOf({
        groups,
        sources: sources.map((row) => ({ source: row.source, complete: isCompleteFor(row, end, now) })),
        deadLetters,
        materialityKnown: company.materiality !== undefined,
      });
      return { company, period: args.period, start, end, at: now, gates, groups, sources };
    },
  }),
}));
