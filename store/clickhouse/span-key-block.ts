import { type Column, FixedColumn, LowCardinalityColumn, StringColumn } from './native/columns.ts';
import { Block } from './native.ts';

/** Rows of `span_keys`: one for each correlation key of a span. */
export class SpanKeyBlock extends Block {
  /** Normalised, as `event_keys` has them. */
  readonly joinKey = new StringColumn();
  readonly keyType = new LowCardinalityColumn();
  /** Empty for a global key of a span that names no company. */
  readonly company = new LowCardinalityColumn();
  /** Start of the span, nanoseconds since 1970. */
  readonly timestamp = new FixedColumn('DateTime64(9)');
  readonly traceId = new StringColumn();
  readonly spanId = new StringColumn();

  override readonly columns: ReadonlyMap<string, Column> = new Map<string, Column>([
    ['JoinKey', this.joinKey],
    ['KeyType', this.keyType],
    ['Company', this.company],
    ['Timestamp', this.timestamp],
    ['TraceId', this.traceId],
    ['SpanId', this.spanId],
  ]);
}
