import { attributes } from './attributes-column.ts';
import { type Column, FixedColumn, LowCardinalityColumn, StringColumn } from './native/columns.ts';
import { ArrayColumn } from './native/nested.ts';
import { Block } from './native.ts';

/**
 * Rows of `otel_traces`, column by column. Who appends a span appends one value to every column; texts, units and
 * names are those of the OpenTelemetry Collector's ClickHouse exporter.
 */
export class SpanBlock extends Block {
  /** Start, nanoseconds since 1970. */
  readonly timestamp = new FixedColumn('DateTime64(9)');
  readonly traceId = new StringColumn();
  readonly spanId = new StringColumn();
  readonly parentSpanId = new StringColumn();
  readonly traceState = new StringColumn();
  readonly spanName = new LowCardinalityColumn();
  readonly spanKind = new LowCardinalityColumn();
  readonly serviceName = new LowCardinalityColumn();
  readonly resourceAttributes = attributes();
  readonly scopeName = new StringColumn();
  readonly scopeVersion = new StringColumn();
  readonly spanAttributes = attributes();
  /** Nanoseconds. */
  readonly duration = new FixedColumn('UInt64');
  readonly statusCode = new LowCardinalityColumn();
  readonly statusMessage = new StringColumn();
  readonly eventTimestamps = new ArrayColumn(new FixedColumn('DateTime64(9)'));
  readonly eventNames = new ArrayColumn(new LowCardinalityColumn());
  readonly eventAttributes = new ArrayColumn(attributes());
  readonly linkTraceIds = new ArrayColumn(new StringColumn());
  readonly linkSpanIds = new ArrayColumn(new StringColumn());
  readonly linkTraceStates = new ArrayColumn(new StringColumn());
  readonly linkAttributes = new ArrayColumn(attributes());

  override readonly columns: ReadonlyMap<string, Column> = new Map<string, Column>([
    ['Timestamp', this.timestamp],
    ['TraceId', this.traceId],
    ['SpanId', this.spanId],
    ['ParentSpanId', this.parentSpanId],
    ['TraceState', this.traceState],
    ['SpanName', this.spanName],
    ['SpanKind', this.spanKind],
    ['ServiceName', this.serviceName],
    ['ResourceAttributes', this.resourceAttributes],
    ['ScopeName', this.scopeName],
    ['ScopeVersion', this.scopeVersion],
    ['SpanAttributes', this.spanAttributes],
    ['Duration', this.duration],
    ['StatusCode', this.statusCode],
    ['StatusMessage', this.statusMessage],
    ['Events.Timestamp', this.eventTimestamps],
    ['Events.Name', this.eventNames],
    ['Events.Attributes', this.eventAttributes],
    ['Links.TraceId', this.linkTraceIds],
    ['Links.SpanId', this.linkSpanIds],
    ['Links.TraceState', this.linkTraceStates],
    ['Links.Attributes', this.linkAttributes],
  ]);
}
