import { ClosewatchError } from '../../model/errors.ts';
import { sumByCurrency } from '../../model/money.ts';
import { mayReadCompany } from '../../model/principal.ts';
import { type Gate, linesOf, type SeverityLine, VERDICTS } from '../../model/readiness.ts';
import { SEVERITIES } from '../../model/severity.ts';
import { formatInstant } from '../../model/time.ts';
import { MAX_SOURCES } from '../../store/postgres/source-queries.ts';
import { type Readiness, readinessOf } from '../../store/readiness.ts';
import { builder } from './builder.ts';
import { hyphenated, SeverityEnum } from './enums.ts';
import { MoneyRef } from './scalars.ts';
import { SourceRef } from './source.ts';

const VerdictEnum = builder.enumType('ReadinessVerdict', {
  values: hyphenated(VERDICTS),
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
    sums: t.field({ type: [MoneyRef], extensions: { costRows: 5 }, resolve: ({ sums }) => [...sums] }),
  }),
});

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
    verdict: t.expose('verdict', { type: VerdictEnum }),
    confidence: t.exposeFloat('confidence', {
      description: '0 to 1: the share of gates that could be told, times 0.8 without materiality limits',
    }),
    materialityKnown: t.boolean({ resolve: ({ company }) => company.materiality !== undefined }),
    gates: t.field({ type: [GateRef], extensions: { costRows: 7 }, resolve: ({ gates }) => [...gates] }),
    openBySeverity: t.field({
      type: [SeverityLineRef],
      extensions: { costRows: SEVERITIES.length },
      description:
        'Every severity, the worst first; exceptions of documents that began before the period’s end',
      resolve: ({ groups }) => linesOf(groups),
    }),
    waived: t.field({
      type: [MoneyRef],
      extensions: { costRows: 5 },
      description: 'Money of waived exceptions: it stays visible',
      resolve: ({ groups }) => sumByCurrency(groups.filter((group) => group.state === 'waived')),
    }),
    sources: t.field({
      type: [SourceRef],
      extensions: { costRows: MAX_SOURCES },
      resolve: ({ sources }) => [...sources],
    }),
  }),
});

builder.queryFields((t) => ({
  readiness: t.field({
    type: ReadinessRef,
    args: {
      company: t.arg.string({ required: true }),
      period: t.arg.string({ required: true, description: 'A month, 2026-05' }),
    },
    resolve: async (_, args, { actor, clickhouse, company, now, postgres }) => {
      if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(args.period))
        throw new ClosewatchError('request.malformed', 'a period is a month, such as 2026-05');
      if (!mayReadCompany(actor, args.company))
        throw new ClosewatchError('not-found', `there is no company ${args.company}`);
      const of = { company: company(args.company), period: args.period };
      return await readinessOf({ postgres, clickhouse }, of, now);
    },
  }),
}));
