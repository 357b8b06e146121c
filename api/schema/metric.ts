import { ClosewatchError } from '../../model/errors.ts';
import { METRIC_KINDS, type MetricBucket, type MetricSeries } from '../../model/metric.ts';
import { hasRole } from '../../model/principal.ts';
import { formatInstant, NANOS_PER_SECOND } from '../../model/time.ts';
import { MAX_STEPS, metricSeries } from '../../store/clickhouse/metrics.ts';
import { builder } from './builder.ts';

const MetricKindEnum = builder.enumType('MetricKind', { values: METRIC_KINDS });

const MetricBucketRef = builder.objectRef<MetricBucket>('MetricBucket').implement({
  description: 'What was measured in one step of time, of all series of a metric together.',
  fields: (t) => ({
    at: t.field({
      type: 'Instant',
      description: 'Where the step begins',
      resolve: ({ at }) => formatInstant(BigInt(at) * NANOS_PER_SECOND),
    }),
    points: t.exposeInt('points', { description: 'Data points in the step' }),
    value: t.exposeFloat('value', {
      nullable: true,
      description:
        "Gauge: the mean of each series' last value. Sum: what was added in the step; when it may also fall and is cumulative, the sum of each series' last value. Distributions: the mean of what was measured. Null when nobody can tell.",
    }),
    min: t.exposeFloat('min', { nullable: true, description: 'Of a gauge' }),
    max: t.exposeFloat('max', { nullable: true, description: 'Of a gauge' }),
    count: t.exposeFloat('count', { nullable: true, description: 'Measurements of a distribution' }),
    p50: t.exposeFloat('p50', {
      nullable: true,
      description: 'Of histograms, as p95 and p99: by interpolation within a bucket of the histogram',
    }),
    p95: t.exposeFloat('p95', { nullable: true }),
    p99: t.exposeFloat('p99', { nullable: true }),
  }),
});

const MetricSeriesRef = builder.objectRef<MetricSeries>('MetricSeries').implement({
  fields: (t) => ({
    name: t.exposeString('name'),
    kind: t.expose('kind', { type: MetricKindEnum }),
    description: t.exposeString('description'),
    unit: t.exposeString('unit', { description: 'UCUM' }),
    buckets: t.field({
      type: [MetricBucketRef],
      description: 'The steps in which anything was measured, in order of time',
      extensions: { costRows: MAX_STEPS },
      resolve: ({ buckets }) => [...buckets],
    }),
    truncated: t.exposeBoolean('truncated', {
      description: 'There were more series than are read at once: the buckets are of some of them',
    }),
  }),
});

builder.queryFields((t) => ({
  metric: t.field({
    type: [MetricSeriesRef],
    description:
      'A metric over time: of each kind that has its name, all series of it together. Metrics name no company: needs one of the roles sre, admin, and every company.',
    args: {
      name: t.arg.string({ required: true }),
      service: t.arg.string({ description: 'Of every service when left out, which reads more' }),
      since: t.arg({ type: 'Instant', required: true, description: 'To the second' }),
      until: t.arg({ type: 'Instant', required: true, description: 'Excluded' }),
      stepSeconds: t.arg.int({
        required: true,
        defaultValue: 60,
        description: `${MAX_STEPS} steps at most`,
      }),
    },
    extensions: { costRows: 2 },
    resolve: async (_, { name, service, since, until, stepSeconds }, { actor, clickhouse, scope }) => {
      if (scope !== '*' || !hasRole(actor, 'sre'))
        throw new ClosewatchError(
          'auth.forbidden',
          'metrics need one of the roles sre, admin, and every company',
        );
      return await metricSeries(clickhouse, {
        name,
        service: service ?? undefined,
        since: Number(since / NANOS_PER_SECOND),
        until: Number(until / NANOS_PER_SECOND),
        step: stepSeconds,
      });
    },
  }),
}));
