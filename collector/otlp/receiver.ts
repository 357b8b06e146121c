import { ClosewatchError, errorCode } from '../../model/errors.ts';
import type { TelemetryStore } from '../../store/clickhouse/telemetry.ts';
import type { Logger } from '../../store/logger.ts';
import type { Sender } from '../../store/postgres/tokens.ts';
import { BodyBudget, BodyHold } from '../body.ts';
import type { OtlpConfig } from './config.ts';
import { type Decoded, REFUSALS, type Refusal, refusedIn, SIGNALS, type Signal } from './decoder.ts';
import { createPipeline } from './pipeline.ts';
import type { SentRequest } from './thread.ts';

export interface OtlpDeps {
  readonly telemetry: TelemetryStore;
  readonly logger: Logger;
  /** Called when the records of a request are stored, before the sender is told. */
  stored?(sender: Sender, signal: Signal, records: number): void;
  now?(): Date;
}

/** What came in of one signal since the start: counters for metrics. */
export interface SignalCounts {
  /** Records stored; one that its sender sends again counts again. */
  stored: number;
  refused: Record<Refusal, number>;
  /** Records that were answered before they were stored, and lost. */
  dropped: number;
}

export interface OtlpCounts {
  requests: number;
  /** Requests that were refused or failed, by HTTP status, also of those that came by gRPC. */
  failed: Record<number, number>;
  /** Bytes of bodies as they are read, inflated. */
  bytes: number;
  signals: Record<Signal, SignalCounts>;
  /** Spans stored with Duration 0 because they end before they start. */
  spansReversed: number;
}

/** What OTLP/HTTP and OTLP/gRPC share: budget, pipeline, counters. */
export interface OtlpReceiver {
  readonly config: OtlpConfig;
  readonly counts: OtlpCounts;
  /** Room for the body of one request; throws `store.unavailable` once the receiver is closing. */
  hold(): BodyHold;
  /** Stores a request whose body is in `hold`. Throws what `failureOf` explains. */
  take(sender: Sender, request: SentRequest, hold: BodyHold): Promise<Decoded>;
  /** Counts a request that was refused or failed and says what its sender is told. */
  fail(error: unknown): Failure;
  /** Bytes of requests that are not answered yet: their bodies, and their rows that wait to be stored. */
  pendingBytes(): number;
  /** Refuses new requests with 503 and resolves when everything that was taken is stored or failed. */
  close(): Promise<void>;
}

export interface Failure {
  readonly status: number;
  readonly message: string;
  /** Seconds after which to send it again. */
  readonly retryAfter?: number | undefined;
}

const RETRY_AFTER_S: Readonly<Record<number, number>> = { 429: 1, 503: 5 };

export function createOtlpReceiver(config: OtlpConfig, deps: OtlpDeps): OtlpReceiver {
  const counts: OtlpCounts = {
    requests: 0,
    failed: {},
    bytes: 0,
    signals: Object.fromEntries(SIGNALS.map((signal) => [signal, noCounts()])) as OtlpCounts['signals'],
    spansReversed: 0,
  };
  const pipeline = createPipeline(config, {
    telemetry: deps.telemetry,
    logger: deps.logger,
    dropped: (signal, records) => {
      counts.signals[signal].dropped += records;
    },
    ...(deps.now ? { now: deps.now } : {}),
  });
  const budget = new BodyBudget(config.maxPendingBytes, () => pipeline.pendingBytes);
  let closed = false;

  return {
    config,
    counts,
    hold() {
      if (closed) throw new ClosewatchError('store.unavailable', 'the collector is shutting down');
      return new BodyHold(budget);
    },
    async take(sender, request, hold) {
      const { signal } = request;
      const { decoded, inflated } = await pipeline.take(request, () => hold.release());
      counts.bytes += inflated;
      counts.spansReversed += decoded.reversed;
      const own = counts.signals[signal];
      own.stored += decoded.accepted;
      for (const reason of Object.keys(REFUSALS) as Refusal[]) own.refused[reason] += decoded.refused[reason];
      deps.stored?.(sender, signal, decoded.accepted);
      if (refusedIn(decoded) > 0)
        deps.logger.warn(
          { source: sender.source, signal, refused: decoded.refused, stored: decoded.accepted },
          'records were refused',
        );
      return decoded;
    },
    fail(error) {
      const failure = failureOf(error);
      counts.failed[failure.status] = (counts.failed[failure.status] ?? 0) + 1;
      if (failure.status >= 500)
        deps.logger.error({ err: error, status: failure.status }, 'a request could not be stored');
      return failure;
    },
    pendingBytes: () => budget.bytes + pipeline.pendingBytes,
    async close() {
      closed = true;
      await pipeline.close();
    },
  };
}

const noCounts = (): SignalCounts => ({ stored: 0, refused: { id: 0, time: 0, signal: 0 }, dropped: 0 });

/**
 * What the sender is told. Failures of ours are 503, whatever they are: the records may be sound, and a sender drops them on
 * any other 5xx. What went wrong stays in the log.
 */
function failureOf(error: unknown): Failure {
  const code = errorCode(error);
  const { status, message } = error as ClosewatchError;
  if (code === 'request.overloaded') return { status: 429, message, retryAfter: RETRY_AFTER_S[429] };
  if (code !== undefined && status < 500) return { status, message };
  const later = 'the records cannot be stored now; send them again later';
  return { status: 503, message: later, retryAfter: RETRY_AFTER_S[503] };
}
