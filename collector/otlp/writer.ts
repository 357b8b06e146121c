import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { context } from '@opentelemetry/api';
import { ClosewatchError, errorCode } from '../../model/errors.ts';
import { SpanBlock } from '../../store/clickhouse/span-block.ts';
import { isUntraced } from '../../store/tracing.ts';
import type { OtlpConfig } from './config.ts';
import type { SpanSink } from './traces.ts';

export interface WriterDeps {
  /** Stores a Native block; tries passing failures again by itself, with the same token. */
  insert(block: Uint8Array, token: string): Promise<void>;
}

export interface SpanWriter {
  /**
   * Runs `append` with the blocks of the moment and resolves with its result when what it appended is stored. When
   * `append` throws, what it appended is taken back and the error passed on. Rejects when the rows cannot be stored.
   */
  write<R>(append: (sink: SpanSink) => R): Promise<R>;
  /** Bytes of rows that are not stored yet. */
  readonly pendingBytes: number;
  /** Stores what is pending; later writes are refused. */
  close(): Promise<void>;
}

/** What an empty block of one more day takes. */
const BLOCK_BYTES = 16 << 10;
const DAYS_AN_INSERT = 90;
/** So many emptied blocks are kept to be filled again. */
const SPARE_BLOCKS = 2;

/**
 * Group commit: the requests that come while one insert is under way share the next one, so that many senders make few
 * inserts. One insert runs at a time. Rows are split by the day on which they start, as the table is, so that no insert
 * passes ClickHouse's limit of 100 partitions, whatever the age of the spans.
 */
export function createSpanWriter(
  config: Pick<OtlpConfig, 'maxBlockBytes' | 'gatherMs'>,
  deps: WriterDeps,
): SpanWriter {
  const spare: SpanBlock[] = [];
  const waiting: Group[] = [];
  let running: Promise<void> | undefined;
  let inFlight = 0;
  const closing = new AbortController();

  const groupOf = (): Group => {
    const last = waiting.at(-1);
    if (last && last.bytes < config.maxBlockBytes) return last;
    const group = new Group(() => spare.pop() ?? new SpanBlock());
    waiting.push(group);
    return group;
  };

  const store = async (group: Group): Promise<void> => {
    for (const blocks of group.inserts()) {
      const bytes = Buffer.concat(blocks.map((block) => block.encode()));
      inFlight = group.bytes + bytes.length;
      for (const block of blocks.slice(0, SPARE_BLOCKS - spare.length)) {
        block.clear();
        spare.push(block);
      }
      await deps.insert(bytes, `otlp:${randomUUID()}`);
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
  readonly #newBlock: () => SpanBlock;
  readonly #days = new Map<number, SpanBlock>();
  bytes = 0;
  #requests = 0;
  /** The trace in which the insert lies: that of the first request that is traced. */
  trace = context.active();

  constructor(newBlock: () => SpanBlock) {
    this.#newBlock = newBlock;
    this.stored.promise.catch(() => {
      // Each request that waits has its own; a group that nobody waits for must not end the process.
    });
  }

  get empty(): boolean {
    return this.#days.size === 0;
  }

  append<R>(append: (sink: SpanSink) => R): R {
    if (isUntraced(this.trace)) this.trace = context.active();
    for (const block of this.#days.values()) block.save();
    const before = this.#days.size;
    let lastDay: number | undefined;
    let last: SpanBlock | undefined;
    const blockOf = (day: number): SpanBlock => {
      if (day === lastDay && last) return last;
      last = this.#days.get(day) ?? this.#open(day);
      lastDay = day;
      return last;
    };
    try {
      const result = append({ blockOf });
      this.#requests++;
      return result;
    } catch (error) {
      for (const block of this.#days.values()) block.restore();
      for (const day of [...this.#days.keys()].slice(before)) this.#days.delete(day);
      throw error;
    } finally {
      this.bytes = 0;
      for (const block of this.#days.values()) this.bytes += block.byteLength + BLOCK_BYTES;
    }
  }

  /** What its requests are told: that together they were too large says nothing about one of them. */
  failure(error: unknown): unknown {
    if (errorCode(error) !== 'request.too-large' || this.#requests === 1) return error;
    const message = 'the requests that were to be stored together are too large';
    return new ClosewatchError('store.unavailable', message, { cause: error });
  }

  /** The blocks, as many together as may go into one insert. */
  *inserts(): Generator<SpanBlock[]> {
    const blocks = [...this.#days.values()];
    for (let i = 0; i < blocks.length; i += DAYS_AN_INSERT) yield blocks.slice(i, i + DAYS_AN_INSERT);
  }

  #open(day: number): SpanBlock {
    const block = this.#newBlock();
    block.save();
    this.#days.set(day, block);
    return block;
  }
}
