import { formatInstant } from '../../model/time.ts';
import { isFresh, watermarkAt } from '../../model/watermark.ts';
import { MAX_SOURCES, type SourceRow, sourcesOf, streamOf } from '../../store/postgres/source-queries.ts';
import { builder } from './builder.ts';
import { instantOfNanos, instantOrNull } from './scalars.ts';

const WatermarkKind = builder.enumType('WatermarkKind', {
  description:
    'What assures the watermark: a poll, a heartbeat, a whole file, or merely that data still arrives.',
  values: ['polled', 'declared', 'imported', 'assumed'] as const,
});

export const SourceRef = builder.objectRef<SourceRow>('Source').implement({
  description: 'One stream of a sending system for one company, and up to when it is complete.',
  fields: (t) => ({
    source: t.exposeString('source'),
    company: t.exposeString('company'),
    stream: t.exposeString('stream'),
    kind: t.expose('kind', { type: WatermarkKind }),
    fresh: t.boolean({
      resolve: (row, _, { company, now }) => isFresh(streamOf(row), now, company(row.company)),
    }),
    completeWithoutLimit: t.exposeBoolean('complete_without_limit'),
    watermark: t.field({
      type: 'Instant',
      nullable: true,
      description: 'Complete up to here; null when nothing is assured',
      resolve: (row, _, { company, now }) => {
        const mark = watermarkAt(streamOf(row), now, company(row.company));
        return mark === undefined ? null : formatInstant(mark);
      },
    }),
    lagSeconds: t.float({
      nullable: true,
      description: 'How far the watermark lies behind now',
      resolve: (row, _, { company, now }) => {
        const mark = watermarkAt(streamOf(row), now, company(row.company));
        return mark === undefined ? null : Number((now - mark) / 1_000_000n) / 1_000;
      },
    }),
    latenessSeconds: t.float({ resolve: (row) => Number(row.lateness_ms) / 1_000 }),
    silenceSeconds: t.float({
      nullable: true,
      description: 'For how long it may say nothing; empty: one business day of its company',
      resolve: (row) => (row.silence_ms === null ? null : Number(row.silence_ms) / 1_000),
    }),
    types: t.exposeStringList('types'),
    lastEventAt: t.field({
      type: 'Instant',
      nullable: true,
      resolve: (row) => (row.last_event_ns === null ? null : instantOfNanos(row.last_event_ns)),
    }),
    lastArrivalAt: t.field({
      type: 'Instant',
      nullable: true,
      resolve: (row) => instantOrNull(row.last_arrival_at),
    }),
    events: t.float({ description: 'Events it has sent', resolve: (row) => Number(row.events) }),
    errors: t.float({ description: 'Events that were refused', resolve: (row) => Number(row.errors) }),
  }),
});

builder.queryFields((t) => ({
  sources: t.field({
    type: [SourceRef],
    description: `The streams that feed the readable companies (${MAX_SOURCES} at most).`,
    extensions: { costRows: MAX_SOURCES },
    args: { company: t.arg.string() },
    resolve: (_, { company }, { postgres, scope }) =>
      sourcesOf(postgres, { companies: scope, company: company ?? undefined }),
  }),
}));
