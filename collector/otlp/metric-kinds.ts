import {
  ExponentialHistogramBlock,
  GaugeBlock,
  HistogramBlock,
  type MetricBlock,
  SumBlock,
  SummaryBlock,
} from '../../store/clickhouse/metric-blocks.ts';
import type { BlockOf, TelemetryTable } from '../../store/clickhouse/telemetry.ts';
import type { DataPoint } from './data-point.ts';
import { EXPONENTIAL_HISTOGRAM, HISTOGRAM, NUMBER, type Shape, SUMMARY } from './data-point-shapes.ts';
import { LEN } from './wire.ts';

type MetricTable = Extract<TelemetryTable, `otel_metrics_${string}`>;

/** What the data points of one metric share, beside its name. */
export interface Aggregation {
  temporality: number;
  monotonic: boolean;
}

/** A kind of metric: the shape of its data points and the table of their rows. */
export interface Kind {
  readonly table: MetricTable;
  readonly shape: Shape;
  /** Appends what only the block of this table has. */
  append(block: MetricBlock, point: DataPoint, aggregation: Aggregation): void;
}

const kind = <Table extends MetricTable>(
  table: Table,
  shape: Shape,
  append: (block: BlockOf<Table>, point: DataPoint, aggregation: Aggregation) => void,
): Kind => ({ table, shape, append }) as Kind;

/** By the tag of `Metric.data`. */
export const KINDS: ReadonlyMap<number, Kind> = new Map([
  [5 * 8 + LEN, kind('otel_metrics_gauge', NUMBER, appendGauge)],
  [7 * 8 + LEN, kind('otel_metrics_sum', NUMBER, appendSum)],
  [9 * 8 + LEN, kind('otel_metrics_histogram', HISTOGRAM, appendHistogram)],
  [10 * 8 + LEN, kind('otel_metrics_exp_histogram', EXPONENTIAL_HISTOGRAM, appendExponentialHistogram)],
  [11 * 8 + LEN, kind('otel_metrics_summary', SUMMARY, appendSummary)],
]);

/** A block of each table. */
export const metricBlocks = (): Record<MetricTable, MetricBlock> => ({
  otel_metrics_gauge: new GaugeBlock(),
  otel_metrics_sum: new SumBlock(),
  otel_metrics_histogram: new HistogramBlock(),
  otel_metrics_exp_histogram: new ExponentialHistogramBlock(),
  otel_metrics_summary: new SummaryBlock(),
});

function appendGauge(block: GaugeBlock, point: DataPoint): void {
  block.value.appendDouble(point.value);
  point.exemplars.append(block.exemplars);
}

function appendSum(block: SumBlock, point: DataPoint, aggregation: Aggregation): void {
  block.value.appendDouble(point.value);
  point.exemplars.append(block.exemplars);
  block.aggregationTemporality.appendNumber(aggregation.temporality);
  block.isMonotonic.appendNumber(aggregation.monotonic ? 1 : 0);
}

function appendHistogram(block: HistogramBlock, point: DataPoint, aggregation: Aggregation): void {
  block.count.append64(point.countLow, point.countHigh);
  block.sum.appendDouble(point.sum);
  point.appendCounts(block.bucketCounts);
  point.appendBounds(block.explicitBounds);
  point.exemplars.append(block.exemplars);
  block.min.appendDouble(point.min);
  block.max.appendDouble(point.max);
  block.aggregationTemporality.appendNumber(aggregation.temporality);
}

function appendExponentialHistogram(
  block: ExponentialHistogramBlock,
  point: DataPoint,
  aggregation: Aggregation,
): void {
  block.count.append64(point.countLow, point.countHigh);
  block.sum.appendDouble(point.sum);
  block.scale.appendNumber(point.scale);
  block.zeroCount.append64(point.zeroCountLow, point.zeroCountHigh);
  point.appendPositive(block.positiveOffset, block.positiveBucketCounts);
  point.appendNegative(block.negativeOffset, block.negativeBucketCounts);
  point.exemplars.append(block.exemplars);
  block.min.appendDouble(point.min);
  block.max.appendDouble(point.max);
  block.aggregationTemporality.appendNumber(aggregation.temporality);
}

function appendSummary(block: SummaryBlock, point: DataPoint): void {
  block.count.append64(point.countLow, point.countHigh);
  block.sum.appendDouble(point.sum);
  point.appendQuantiles(block.quantiles, block.quantileValues);
}
