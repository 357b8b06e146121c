import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, context } from '@opentelemetry/api';
import { ClosewatchError, errorCode } from '../../model/errors.ts';
import type { TelemetryStore } from '../../store/clickhouse/telemetry.ts';
import type { Logger } from '../../store/logger.ts';
import { isUntraced } from '../../store/tracing.ts';
import type { DecodingConfig } from './config.ts';
import { type Decoded, SIGNALS, type Signal } from './decoder.ts';
import type { Insert } from './rows.ts';
import { DecodingThread, type Gathered, type Sealed, type SentRequest } from './thread.ts';

export interface PipelineDeps {
  /** Stores Native blocks; tries passing failures again by itself, with the same token. */
  readonly telemetry: TelemetryStore;
  readonly logger: Pick<Logger, 'error'>;
  readonly now?: () => Date;
  /** Starts the thread that decodes, again when it has died. */
  readonly startThread?: (died: (error: unknown) => void) => DecodingThread;
  /** Records of a source that were answered before they were stored are given up. */
  readonly dropped?: (source: string, signal: Signal, records: number) => void;
}

export interface Taken {
  readonly decoded: Decoded;
  /** Bytes of the body, inflated. */
  readonly inflated: number;
}

/** From requests to stored rows. */
export interface Pipeline {
  /**
   * Takes a request and resolves when its rows are stored; with `ack: buffered`, when they are decoded. `decoded` is called
   * when its body is no longer held. Throws what the decoder throws, `request.overloaded` when too much waits already, and
   * `store.unavailable` when the rows cannot be stored now: none of them counts as taken.
   */
  take(request: SentRequest, decoded?: () => void): Promise<Taken>;
  /** Bytes of rows that are not stored yet. */
  readonly pendingBytes: number;
  /** Stores what was taken; later requests are refused. */
  close(): Promise<void>;
}

/** So many requests lie before the thread at once: it never waits for the next one, and is soon free to close a group. */
const AHEAD = 4;
const AGAIN_AFTER_MS = 1_000;

/** Requests whose rows are stored together. */
interface Group {
  readonly stored: PromiseWithResolvers<void>;
  requests: number;
  /** Records by source. */
  readonly records: Map<string, number>;
  /** The trace in which the inserts lie: that of the first request that is traced. */
  trace: Context;
}

/**
 * Group commit: the requests of a signal that come while one insert is under way share the next one, so that many senders
 * make few inserts. Decoding has a thread of its own; one insert runs at a time, over all signals.
 */
export function createPipeline(config: DecodingConfig, deps: PipelineDeps): Pipeline {
  const now = deps.now ?? (() => new Date());
  const groups = new Map(SIGNALS.map((signal) => [signal, new Map<number, Group>()] as const));
  const turns: (() => void)[] = [];
  const closing = new AbortController();
  let thread: DecodingThread | undefined;
  let ahead = 0;
  let taking = 0;
  let pendingBytes = 0;
  let running: Promise<void> | undefined;
  let insertingSince: number | undefined;

  const unavailable = (message: string, cause?: unknown): ClosewatchError =>
    new ClosewatchError('store.unavailable', message, cause === undefined ? {} : { cause });

  /** What the thread has not closed is lost with it. */
  function died(cause: unknown): void {
    thread = undefined;
    if (closing.signal.aborted && taking === 0) return;
    deps.logger.error({ err: cause }, 'the thread that decodes telemetry has ended; it is started again');
    for (const open of groups.values()) {
      for (const group of open.values())
        group.stored.reject(unavailable('the collector lost its thread', cause));
      open.clear();
    }
    pendingBytes = 0;
  }

  const startThread = deps.startThread ?? ((onDeath) => new DecodingThread(config, onDeath));
  const threadOf = (): DecodingThread => {
    thread ??= startThread(died);
    return thread;
  };

  async function decode(request: SentRequest): Promise<Gathered> {
    if (ahead >= AHEAD) await new Promise<void>((resolve) => turns.push(resolve));
    else ahead++;
    try {
      const latest = BigInt(now().getTime() + config.maxAheadMs) * 1_000_000n;
      return await threadOf().decode(request, latest);
    } finally {
      const next = turns.shift();
      if (next) next();
      else ahead--;
    }
  }

  function join(source: string, signal: Signal, { group: number, decoded, bytes }: Gathered): Group {
    pendingBytes += bytes;
    const open = groups.get(signal) as Map<number, Group>;
    let group = open.get(number);
    if (!group) {
      group = {
        stored: Promise.withResolvers<void>(),
        requests: 0,
        records: new Map(),
        trace: context.active(),
      };
      // Each request that waits has its own; a group that nobody waits for must not end the process.
      group.stored.promise.catch(() => {});
      open.set(number, group);
    }
    if (isUntraced(group.trace)) group.trace = context.active();
    group.requests++;
    group.records.set(source, (group.records.get(source) ?? 0) + decoded.accepted);
    running ??= run();
    return group;
  }

  async function run(): Promise<void> {
    // An AbortError means that the pipeline closes: nothing more will come.
    await sleep(config.gatherMs, undefined, { signal: closing.signal }).catch(() => undefined);
    for (let turn = 0, idle = 0; idle < SIGNALS.length; turn++) {
      const signal = SIGNALS[turn % SIGNALS.length] as Signal;
      const open = groups.get(signal) as Map<number, Group>;
      if (open.size === 0) idle++;
      else {
        idle = 0;
        await storeNext(signal, open);
      }
    }
    running = undefined;
  }

  async function storeNext(signal: Signal, open: Map<number, Group>): Promise<void> {
    let sealed: Sealed;
    const from = thread;
    try {
      sealed = await threadOf().seal(signal);
    } catch {
      return; // The thread died, and with it its groups.
    }
    const group = open.get(sealed.group);
    open.delete(sealed.group);
    insertingSince = Date.now();
    try {
      if (group) await context.with(group.trace, () => insertAll(signal, group, sealed));
      group?.stored.resolve();
    } catch (error) {
      group?.stored.reject(failureOf(group, error));
    } finally {
      insertingSince = undefined;
      if (thread === from) {
        thread?.stored(sealed.bytes);
        pendingBytes -= sealed.bytes;
      }
    }
  }

  /** The tables of a group side by side. */
  async function insertAll(signal: Signal, group: Group, { inserts }: Sealed): Promise<void> {
    const done = await Promise.allSettled(inserts.map((insert) => insertOne(signal, group, insert)));
    for (const one of done) if (one.status === 'rejected') throw one.reason;
  }

  async function insertOne(signal: Signal, group: Group, [table, blocks]: Insert): Promise<void> {
    const token = `otlp:${randomUUID()}`;
    for (;;) {
      try {
        return await deps.telemetry.insert(table, blocks, token);
      } catch (error) {
        if (config.ack === 'stored') throw error;
        const again = errorCode(error) === 'engine.unavailable' && !closing.signal.aborted;
        if (!again) {
          deps.logger.error({ err: error, signal, table }, 'buffered records were lost');
          // Keys of spans are no records of their own.
          if (table !== 'span_keys')
            for (const [source, records] of group.records) deps.dropped?.(source, signal, records);
          throw error;
        }
        await sleep(AGAIN_AFTER_MS);
      }
    }
  }

  /** What its requests are told: that together they were too large says nothing about one of them. */
  const failureOf = (group: Group, error: unknown): unknown =>
    errorCode(error) === 'request.too-large' && group.requests > 1
      ? unavailable('the requests that were to be stored together are too large', error)
      : error;

  return {
    async take(request, decoded = () => {}) {
      if (closing.signal.aborted) throw unavailable('the collector is shutting down');
      if (insertingSince !== undefined && Date.now() - insertingSince > config.maxStoreMs)
        throw unavailable('the store does not answer');
      taking++;
      try {
        const gathered = await decode(request);
        const group =
          gathered.group === 0 ? undefined : join(request.sender.source, request.signal, gathered);
        decoded();
        if (config.ack === 'stored') await group?.stored.promise;
        return { decoded: gathered.decoded, inflated: gathered.inflated };
      } finally {
        taking--;
      }
    },
    get pendingBytes() {
      return pendingBytes;
    },
    async close() {
      closing.abort();
      while (taking > 0 || running) await (running ?? sleep(5));
      await thread?.stop();
    },
  };
}
