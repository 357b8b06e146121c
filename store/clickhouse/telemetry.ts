import { ClickHouseError } from '@clickhouse/client';
import { ClosewatchError } from '../../model/errors.ts';
import type { ClickHouse } from './client.ts';
import { LogBlock } from './log-block.ts';
import {
  ExponentialHistogramBlock,
  GaugeBlock,
  HistogramBlock,
  SumBlock,
  SummaryBlock,
} from './metric-blocks.ts';
import type { Block } from './native.ts';
import { SpanBlock } from './span-block.ts';
import { SpanKeyBlock } from './span-key-block.ts';

/** The tables that telemetry is written to, and what makes an empty block of each. */
export const TELEMETRY_TABLES = {
  otel_traces: SpanBlock,
  span_keys: SpanKeyBlock,
  otel_logs: LogBlock,
  otel_metrics_gauge: GaugeBlock,
  otel_metrics_sum: SumBlock,
  otel_metrics_histogram: HistogramBlock,
  otel_metrics_exp_histogram: ExponentialHistogramBlock,
  otel_metrics_summary: SummaryBlock,
} as const satisfies Record<string, new () => Block>;

export type TelemetryTable = keyof typeof TELEMETRY_TABLES;
export type BlockOf<Table extends TelemetryTable> = InstanceType<(typeof TELEMETRY_TABLES)[Table]>;

export interface TelemetryStore {
  /**
   * Stores Native blocks of the table; the same token never stores them twice. Throws `request.too-large` for more bytes
   * than ClickHouse takes at once, now or later.
   */
  insert(table: TelemetryTable, blocks: Uint8Array, token: string): Promise<void>;
}

/** The number of ClickHouse's exception TOO_MANY_BYTES. */
const TOO_MANY_BYTES = '307';

export function openTelemetry(clickhouse: ClickHouse): TelemetryStore {
  const columnsOf = new Map(
    Object.entries(TELEMETRY_TABLES).map(([table, Rows]) => [table, [...new Rows().columns.keys()]]),
  );
  return {
    async insert(table, blocks, token) {
      try {
        await clickhouse.insertNative(table, columnsOf.get(table) ?? [], blocks, { token });
      } catch (error) {
        const { cause } = error as ClosewatchError;
        if (!(cause instanceof ClickHouseError) || cause.code !== TOO_MANY_BYTES) throw error;
        const message = `${blocks.length} bytes for ${table} are more than ClickHouse takes at once`;
        throw new ClosewatchError('request.too-large', message, { cause });
      }
    },
  };
}
