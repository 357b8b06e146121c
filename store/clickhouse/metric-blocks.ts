import { attributes } from './attributes-column.ts';
import { type Column, FixedColumn, LowCardinalityColumn, StringColumn } from './native/columns.ts';
import { ArrayColumn } from './native/nested.ts';
import { Block } from './native.ts';

type Named = [name: string, column: Column];

/** `Exemplars`: sample measurements. Who appends one appends to the `inner` of each; `endRow` ends those of a point. */
export class ExemplarColumns {
  readonly attributes = new ArrayColumn(attributes());
  /** Seconds since 1970. */
  readonly times = new ArrayColumn(new FixedColumn('DateTime'));
  readonly values = new ArrayColumn(new FixedColumn('Float64'));
  readonly spanIds = new ArrayColumn(new StringColumn());
  readonly traceIds = new ArrayColumn(new StringColumn());

  endRow(): void {
    this.attributes.endRow();
    this.times.endRow();
    this.values.endRow();
    this.spanIds.endRow();
    this.traceIds.endRow();
  }

  named(): Named[] {
    return [
      ['Exemplars.FilteredAttributes', this.attributes],
      ['Exemplars.TimeUnix', this.times],
      ['Exemplars.Value', this.values],
      ['Exemplars.SpanId', this.spanIds],
      ['Exemplars.TraceId', this.traceIds],
    ];
  }
}

/**
 * Data points, column by column: what every `otel_metrics_*` has. Who appends a point appends one value to every
 * column; texts, units and names are those of the OpenTelemetry Collector's ClickHouse exporter.
 */
export abstract class MetricBlock extends Block {
  readonly resourceAttributes = attributes();
  readonly resourceSchemaUrl = new StringColumn();
  readonly scopeName = new StringColumn();
  readonly scopeVersion = new StringColumn();
  readonly scopeAttributes = attributes();
  readonly scopeDroppedAttrCount = new FixedColumn('UInt32');
  readonly scopeSchemaUrl = new StringColumn();
  readonly serviceName = new LowCardinalityColumn();
  readonly metricName = new LowCardinalityColumn();
  readonly metricDescription = new StringColumn();
  readonly metricUnit = new StringColumn();
  readonly attributes = attributes();
  /** Seconds since 1970, as `timeUnix`. */
  readonly startTimeUnix = new FixedColumn('DateTime');
  readonly timeUnix = new FixedColumn('DateTime');
  readonly flags = new FixedColumn('UInt32');

  protected named(): Named[] {
    return [
      ['ResourceAttributes', this.resourceAttributes],
      ['ResourceSchemaUrl', this.resourceSchemaUrl],
      ['ScopeName', this.scopeName],
      ['ScopeVersion', this.scopeVersion],
      ['ScopeAttributes', this.scopeAttributes],
      ['ScopeDroppedAttrCount', this.scopeDroppedAttrCount],
      ['ScopeSchemaUrl', this.scopeSchemaUrl],
      ['ServiceName', this.serviceName],
      ['MetricName', this.metricName],
      ['MetricDescription', this.metricDescription],
      ['MetricUnit', this.metricUnit],
      ['Attributes', this.attributes],
      ['StartTimeUnix', this.startTimeUnix],
      ['TimeUnix', this.timeUnix],
      ['Flags', this.flags],
    ];
  }
}

/** Rows of `otel_metrics_gauge`. */
export class GaugeBlock extends MetricBlock {
  readonly value = new FixedColumn('Float64');
  readonly exemplars = new ExemplarColumns();

  override readonly columns: ReadonlyMap<string, Column> = new Map<string, Column>([
    ...this.named(),
    ['Value', this.value],
    ...this.exemplars.named(),
  ]);
}

/** Rows of `otel_metrics_sum`. */
export class SumBlock extends MetricBlock {
  readonly value = new FixedColumn('Float64');
  readonly exemplars = new ExemplarColumns();
  readonly aggregationTemporality = new FixedColumn('Int32');
  readonly isMonotonic = new FixedColumn('Bool');

  override readonly columns: ReadonlyMap<string, Column> = new Map<string, Column>([
    ...this.named(),
    ['Value', this.value],
    ...this.exemplars.named(),
    ['AggregationTemporality', this.aggregationTemporality],
    ['IsMonotonic', this.isMonotonic],
  ]);
}

/** Rows of `otel_metrics_histogram`. */
export class HistogramBlock extends MetricBlock {
  readonly count = new FixedColumn('UInt64');
  readonly sum = new FixedColumn('Float64');
  readonly bucketCounts = new ArrayColumn(new FixedColumn('UInt64'));
  readonly explicitBounds = new ArrayColumn(new FixedColumn('Float64'));
  readonly exemplars = new ExemplarColumns();
  readonly min = new FixedColumn('Float64');
  readonly max = new FixedColumn('Float64');
  readonly aggregationTemporality = new FixedColumn('Int32');

  override readonly columns: ReadonlyMap<string, Column> = new Map<string, Column>([
    ...this.named(),
    ['Count', this.count],
    ['Sum', this.sum],
    ['BucketCounts', this.bucketCounts],
    ['ExplicitBounds', this.explicitBounds],
    ...this.exemplars.named(),
    ['Min', this.min],
    ['Max', this.max],
    ['AggregationTemporality', this.aggregationTemporality],
  ]);
}

/** Rows of `otel_metrics_exp_histogram`. */
export class ExponentialHistogramBlock extends MetricBlock {
  readonly count = new FixedColumn('UInt64');
  readonly sum = new FixedColumn('Float64');
  readonly scale = new FixedColumn('Int32');
  readonly zeroCount = new FixedColumn('UInt64');
  readonly positiveOffset = new FixedColumn('Int32');
  readonly positiveBucketCounts = new ArrayColumn(new FixedColumn('UInt64'));
  readonly negativeOffset = new FixedColumn('Int32');
  readonly negativeBucketCounts = new ArrayColumn(new FixedColumn('UInt64'));
  readonly exemplars = new ExemplarColumns();
  readonly min = new FixedColumn('Float64');
  readonly max = new FixedColumn('Float64');
  readonly aggregationTemporality = new FixedColumn('Int32');

  override readonly columns: ReadonlyMap<string, Column> = new Map<string, Column>([
    ...this.named(),
    ['Count', this.count],
    ['Sum', this.sum],
    ['Scale', this.scale],
    ['ZeroCount', this.zeroCount],
    ['PositiveOffset', this.positiveOffset],
    ['PositiveBucketCounts', this.positiveBucketCounts],
    ['NegativeOffset', this.negativeOffset],
    ['NegativeBucketCounts', this.negativeBucketCounts],
    ...this.exemplars.named(),
    ['Min', this.min],
    ['Max', this.max],
    ['AggregationTemporality', this.aggregationTemporality],
  ]);
}

/** Rows of `otel_metrics_summary`. */
export class SummaryBlock extends MetricBlock {
  readonly count = new FixedColumn('UInt64');
  readonly sum = new FixedColumn('Float64');
  readonly quantiles = new ArrayColumn(new FixedColumn('Float64'));
  readonly quantileValues = new ArrayColumn(new FixedColumn('Float64'));

  override readonly columns: ReadonlyMap<string, Column> = new Map<string, Column>([
    ...this.named(),
    ['Count', this.count],
    ['Sum', this.sum],
    ['ValueAtQuantiles.Quantile', this.quantiles],
    ['ValueAtQuantiles.Value', this.quantileValues],
  ]);
}
