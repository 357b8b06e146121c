import { attributes } from './attributes-column.ts';
import { type Column, FixedColumn, LowCardinalityColumn, StringColumn } from './native/columns.ts';
import { Block } from './native.ts';

/**
 * Rows of `otel_logs`, column by column, without those that ClickHouse computes. Who appends a record appends one value
 * to every column; texts, units and names are those of the OpenTelemetry Collector's ClickHouse exporter.
 */
export class LogBlock extends Block {
  /** When it happened, else when it was observed: nanoseconds since 1970. */
  readonly timestamp = new FixedColumn('DateTime64(9)');
  readonly traceId = new StringColumn();
  readonly spanId = new StringColumn();
  readonly traceFlags = new FixedColumn('UInt8');
  readonly severityText = new LowCardinalityColumn();
  readonly severityNumber = new FixedColumn('UInt8');
  readonly serviceName = new LowCardinalityColumn();
  readonly body = new StringColumn();
  readonly resourceSchemaUrl = new LowCardinalityColumn();
  readonly resourceAttributes = attributes();
  readonly scopeSchemaUrl = new LowCardinalityColumn();
  readonly scopeName = new StringColumn();
  readonly scopeVersion = new LowCardinalityColumn();
  readonly scopeAttributes = attributes();
  readonly logAttributes = attributes();
  readonly eventName = new StringColumn();

  override readonly columns: ReadonlyMap<string, Column> = new Map<string, Column>([
    ['Timestamp', this.timestamp],
    ['TraceId', this.traceId],
    ['SpanId', this.spanId],
    ['TraceFlags', this.traceFlags],
    ['SeverityText', this.severityText],
    ['SeverityNumber', this.severityNumber],
    ['ServiceName', this.serviceName],
    ['Body', this.body],
    ['ResourceSchemaUrl', this.resourceSchemaUrl],
    ['ResourceAttributes', this.resourceAttributes],
    ['ScopeSchemaUrl', this.scopeSchemaUrl],
    ['ScopeName', this.scopeName],
    ['ScopeVersion', this.scopeVersion],
    ['ScopeAttributes', this.scopeAttributes],
    ['LogAttributes', this.logAttributes],
    ['EventName', this.eventName],
  ]);
}
