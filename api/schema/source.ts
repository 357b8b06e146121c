import { CLOCK_STATES, type ClockReading } from '../../model/clock-skew.ts';
import { mayReadTelemetry } from '../../model/principal.ts';
import { formatInstant } from '../../model/time.ts';
import { isFresh, watermarkAt, whyStale } from '../../model/watermark.ts';
import { SOURCE_DOMAINS } from '../../store/postgres/schema.ts';
import { type SourceRow, streamOf } from '../../store/postgres/source-queries.ts';
import { listStreams, streamCursor } from '../../store/postgres/streams.ts';
import { builder } from './builder.ts';
import { page } from './connection.ts';
import { hyphenated } from './enums.ts';
import { instantOfNanos, instantOrNull } from './scalars.ts';

const WatermarkKind = builder.enumType('WatermarkKind', {
  description:
    'What assures the watermark: a poll, a heartbeat, a whole file, or merely that data still arrives.',
  values: ['polled', 'declared', 'imported', 'assumed'] as const,
});

const SourceDomainEnum = builder.enumType('SourceDomain', {
  description: 'What kind of data a stream carries; telemetry is spans, logs and metrics.',
  values: SOURCE_DOMAINS,
});

const ClockStateEnum = builder.enumType('ClockState', {
  description:
    'ahead: records arrive before their own time. late_or_behind: nothing came sooner for a while, which a clock that is behind and data that are always late have in common. in_step: something came within two seconds.',
  values: hyphenated(CLOCK_STATES),
});

const SourceClockRef = builder.objectRef<ClockReading>('SourceClock').implement({
  description: 'What the last live data of a source tell of its clock.',
  fields: (t) => ({
    state: t.expose('state', { type: ClockStateEnum }),
    skewMs: t.exposeFloat('skewMs', {
      description: 'How far it is ahead of ours; negative: late or behind by at least so much',
    }),
    confidence: t.exposeString('confidence', { description: 'low or high' }),
    records: t.exposeFloat('records', { description: 'Records that it is read from' }),
    from: t.field({ type: 'Instant', resolve: ({ from }) => instantOfMs(from) }),
    to: t.field({ type: 'Instant', resolve: ({ to }) => instantOfMs(to) }),
  }),
});

const instantOfMs = (ms: number): string => formatInstant(BigInt(ms) * 1_000_000n);

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
    events: t.float({
      description: 'Events it has sent; of telemetry, records',
      resolve: (row) => Number(row.events),
    }),
    errors: t.float({ description: 'Events that were refused', resolve: (row) => Number(row.errors) }),
    whyStale: t.string({
      nullable: true,
      description: 'One sentence on why it is not fresh; null when it is',
      resolve: (row, _, { company, now }) => whyStale(streamOf(row), now, company(row.company)) ?? null,
    }),
    eventLagSeconds: t.float({
      nullable: true,
      description: 'How far the time of its newest record lies behind now',
      resolve: ({ last_event_ns: last }, _, { now }) =>
        last === null ? null : Number((now - BigInt(last)) / 1_000_000n) / 1_000,
    }),
    domain: t.field({
      type: SourceDomainEnum,
      resolve: async (row, _, { load }) => (await load.intake.load(row)).domain,
    }),
    rate5m: t.float({
      description: 'New records a minute, over the last 5 minutes',
      resolve: async (row, _, { load }) => (await load.intake.load(row)).rates.fiveMinutes,
    }),
    rate1h: t.float({
      description: 'New records a minute, over the last hour',
      resolve: async (row, _, { load }) => (await load.intake.load(row)).rates.hour,
    }),
    rate24h: t.float({
      description: 'New records a minute, over the last 24 hours',
      resolve: async (row, _, { load }) => (await load.intake.load(row)).rates.day,
    }),
    records: t.float({
      description: 'New records that came, heartbeats left out',
      resolve: async (row, _, { load }) => (await load.intake.load(row)).records,
    }),
    bytes: t.float({
      description: 'Bytes that came over HTTP, inflated',
      resolve: async (row, _, { load }) => (await load.intake.load(row)).bytes,
    }),
    known: t.float({
      description: 'Records that were here before, sent again',
      resolve: async (row, _, { load }) => (await load.intake.load(row)).known,
    }),
    lost24h: t.float({
      description: 'Records that came within the last 24 hours and are not among the data; losses says why',
      resolve: async (row, _, { load }) => (await load.intake.load(row)).lost,
    }),
    clock: t.field({
      type: SourceClockRef,
      nullable: true,
      description: 'Of the source, whatever its stream; null before live data came',
      resolve: async (row, _, { load }) => (await load.intake.load(row)).clock ?? null,
    }),
  }),
});

builder.queryFields((t) => ({
  sources: t.connection({
    type: SourceRef,
    description:
      'The streams of the sources that feed the readable companies, by source, company and stream. Telemetry names no company: it is shown to the role sre, and to who reads every company.',
    args: {
      company: t.arg.string({ description: 'The empty text for telemetry' }),
      source: t.arg.string({ description: 'It and what lies below it: /odoo has /odoo/prod/1 too' }),
      stream: t.arg.string(),
      domain: t.arg({ type: SourceDomainEnum }),
    },
    resolve: (_, { company, source, stream, domain, ...args }, { postgres, scope, actor }) =>
      page(args, streamCursor, (window) =>
        listStreams(
          postgres,
          {
            companies: scope,
            telemetry: mayReadTelemetry(actor),
            company: company ?? undefined,
            source: source ?? undefined,
            stream: stream ?? undefined,
            domain: domain ?? undefined,
          },
          window,
        ),
      ),
  }),
}));
