import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { context } from '@opentelemetry/api';
import { ClosewatchError, errorCode } from '../../model/errors.ts';
import type { Block } from '../../store/clickhouse/native.ts';
import { TELEMETRY_TABLES, type TelemetryTable } from '../../store/clickhouse/telemetry.ts';
import { isUntraced } from '../../store/tracing.ts';
import type { OtlpConfig } from './config.ts';
import type { Sink } from './decoder.ts';

export interface WriterDeps {
  /** Stores Native blocks of a table; tries passing failures again by itself, with the same token. */
  insert(table: TelemetryTable, blocks: Uint8Array, token: string): Promise<void>;
}

export interface SpanWriter {
  /**
   * Runs `append` with the blocks of the moment and resolves with its result when what it appended is stored. When
   * `append` throws, what it appended is taken back and the error passed on. Rejects when the rows cannot be stored.
   */
  write<R>(append: (sink: Sink) => R): Promise<R>;
  /** Bytes of rows that are not stored yet. */
  readonly pendingBytes: number;
  /** Stores what is pending; later writes are refused. */
  close(): Promise<void>;
}

/** What an empty block of one more day takes. */
const BLOCK_BYTES = 16 << 10;
const DAYS_AN_INSERT = 90;

/**
 * Group commit: the requests that come while one insert is under way share the next one, so that many senders make few
 * inserts. One insert runs at a time. Rows are split by the day on which they start, as the table is, so that no insert
 * passes ClickHouse's limit of 100 partitions, whatever the age of the spans.
 */
export function createSpanWriter(
  config: Pick<OtlpConfig, 'maxBlockBytes' | 'gatherMs'>,
  deps: WriterDeps,
): SpanWriter {
  const waiting: Group[] = [];
  let running: Promise<void> | undefined;
  let inFlight = 0;
  const closing = new AbortController();

  const groupOf = (): Group => {
    const last = waiting.at(-1);
    if (last && last.bytes < config.maxBlockBytes) return last;
    const group = new Group();
    waiting.push(group);
    return group;
  };

  const store = async (group: Group): Promise<void> => {
    for (const [table, blocks] of group.inserts()) {
      const bytes = Buffer.concat(blocks.map((block) => block.encode()));
      inFlight = group.bytes + bytes.length;
      await deps.insert(table, bytes, `otlp:${randomUUID()}`);
    }
  };

  const run = async (): Promise<void> => {
    // An AbortError means that the writer closes: nothing more will come.
    await sleep(config.gatherMs, undefined, { signal: closing.signal }).catch(() => undefined);
    for (let group = waiting.shift(); group; group = waiting.shift()) {
      try {
        await context.with(group.trace, () => store(group));
        group.stored.resolve();
      } catch (error) {
        group.stored.reject(group.failure(error));
      }
      inFlight = 0;
    }
    running = undefined;
  };

  return {
    async write(append) {
      if (closing.signal.aborted)
        throw new ClosewatchError('store.unavailable', 'the collector is shutting down');
      const group = groupOf();
      const result = group.append(append);
      if (group.empty) {
        waiting.splice(waiting.indexOf(group), 1);
        return result;
      }
      running ??= run();
      await group.stored.promise;
      return result;
    },
    get pendingBytes() {
      return waiting.reduce((bytes, group) => bytes + group.bytes, inFlight);
    },
    async close() {
      closing.abort();
      while (running) await running;
    },
  };
}

/** Requests that are stored together. */
class Group {
  readonly stored = Promise.withResolvers<void>();
  /** By table, then day. */
  readonly #blocks = new Map<TelemetryTable, Map<number, Block>>();
  bytes = 0;
  #requests = 0;
  /** The trace in which the insert lies: that of the first request that is traced. */
  trace = context.active();

  constructor() {
    this.stored.promise.catch(() => {
      // Each request that waits has its own; a group that nobody waits for must not end the process.
    });
  }

  get empty(): boolean {
    return this.#blocks.size === 0;
  }

  append<R>(append: (sink: Sink) => R): R {
    if (isUntraced(this.trace)) this.trace = context.active();
    const before = this.#all();
    for (const block of before) block.save();
    let last: { readonly table: TelemetryTable; readonly day: number; readonly block: Block } | undefined;
    const blockOf = (table: TelemetryTable, day: number): Block => {
      if (last?.day === day && last.table === table) return last.block;
      last = { table, day, block: this.#open(table, day) };
      return last.block;
    };
    try {
      const result = append({ blockOf } as Sink);
      this.#requests++;
      return result;
    } catch (error) {
      for (const block of before) block.restore();
      this.#keep(new Set(before));
      throw error;
    } finally {
      this.bytes = 0;
      for (const block of this.#all()) this.bytes += block.byteLength + BLOCK_BYTES;
    }
  }

  /** What its requests are told: that together they were too large says nothing about one of them. */
  failure(error: unknown): unknown {
    if (errorCode(error) !== 'request.too-large' || this.#requests === 1) return error;
    const message = 'the requests that were to be stored together are too large';
    return new ClosewatchError('store.unavailable', message, { cause: error });
  }

  /** The blocks of each table, as many together as may go into one insert. */
  *inserts(): Generator<[TelemetryTable, Block[]]> {
    for (const [table, days] of this.#blocks) {
      const blocks = [...days.values()];
      for (let i = 0; i < blocks.length; i += DAYS_AN_INSERT)
        yield [table, blocks.slice(i, i + DAYS_AN_INSERT)];
    }
  }

  #all(): Block[] {
    return [...this.#blocks.values()].flatMap((days) => [...days.values()]);
  }

  #open(table: TelemetryTable, day: number): Block {
    const days = this.#blocks.get(table) ?? new Map<number, Block>();
    this.#blocks.set(table, days);
    const block = days.get(day) ?? new TELEMETRY_TABLES[table]();
    days.set(day, block);
    return block;
  }

  /** Forgets every other block. */
  #keep(kept: ReadonlySet<Block>): void {
    for (const [table, days] of this.#blocks) {
      for (const [day, block] of days) if (!kept.has(block)) days.delete(day);
      if (days.size === 0) this.#blocks.delete(table);
    }
  }
}
