import { dateOf } from '../../model/time.ts';
import { endSilence, livingSilences, type SilenceRow, silence } from '../../store/postgres/silences.ts';
import { builder } from './builder.ts';
import { instantOfDate, instantOrNull } from './scalars.ts';

const SilenceRef = builder.objectRef<SilenceRow>('Silence').implement({
  description: 'For a while nobody is told of open incidents. It closes nothing, and always ends.',
  fields: (t) => ({
    id: t.exposeID('id'),
    company: t.exposeString('company'),
    rule: t.exposeString('rule', { nullable: true }),
    source: t.exposeString('source', { nullable: true }),
    reason: t.exposeString('reason'),
    by: t.string({ resolve: ({ by }, _, { load }) => load.name.load(by) }),
    at: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.at) }),
    until: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.until) }),
    endedAt: t.field({ type: 'Instant', nullable: true, resolve: (row) => instantOrNull(row.ended_at) }),
  }),
});

builder.queryFields((t) => ({
  silences: t.field({
    type: [SilenceRef],
    description: 'Those that hold now.',
    extensions: { costRows: 50 },
    resolve: (_, _args, { now, postgres, scope }) => livingSilences(postgres, scope, dateOf(now)),
  }),
}));

builder.mutationFields((t) => ({
  silence: t.field({
    type: SilenceRef,
    description:
      'Tells nobody of open incidents of a company, or of its rule or source, until an instant within 31 days. Needs what acknowledging needs.',
    args: {
      company: t.arg.string({ required: true }),
      rule: t.arg.string(),
      source: t.arg.string(),
      until: t.arg({ type: 'Instant', required: true }),
      reason: t.arg.string({ required: true }),
    },
    resolve: (_, { company, rule, source, until, reason }, { actor, now, postgres }) =>
      silence(
        postgres,
        {
          company,
          rule: rule ?? undefined,
          source: source ?? undefined,
          until: dateOf(until),
          reason: reason.slice(0, 1_000),
        },
        actor,
        dateOf(now),
      ),
  }),
  endSilence: t.field({
    type: SilenceRef,
    args: { id: t.arg.id({ required: true }) },
    resolve: (_, { id }, { actor, now, postgres }) => endSilence(postgres, id, actor, dateOf(now)),
  }),
}));
