import { ClosewatchError, errorCode } from '../../model/errors.ts';
import type { LossReason } from '../../model/loss.ts';
import { MASK_CLASSES, type MaskCounts, noMasks } from '../../model/masking.ts';
import type { TelemetryStore } from '../../store/clickhouse/telemetry.ts';
import type { Intake } from '../../store/intake/intake.ts';
import type { Logger } from '../../store/logger.ts';
import type { Sender } from '../../store/postgres/tokens.ts';
import { BodyBudget, BodyHold, BrokenOff } from '../body.ts';
import type { DecodingConfig } from './config.ts';
import { type Decoded, REFUSALS, type Refusal, type Signal } from './decoder.ts';
import { createPipeline } from './pipeline.ts';
import { type KeyCounts, noKeys } from './span-keys.ts';
import type { SentRequest } from './thread.ts';

export interface OtlpDeps {
  readonly telemetry: TelemetryStore;
  readonly intake: Pick<Intake, 'arrived' | 'lost'>;
  readonly logger: Logger;
  now?(): Date;
}

export interface OtlpCounts {
  requests: number;
  /** Requests that were refused or failed, by HTTP status, also of those that came by gRPC. */
  failed: Record<number, number>;
  /** Bytes of bodies as they are read, inflated. */
  bytes: number;
  /** Records stored, by signal; one that its sender sends again counts again. */
  stored: Record<Signal, number>;
  /** Correlation keys of spans. */
  readonly keys: KeyCounts;
  /** Values that were masked, by class. */
  readonly masked: MaskCounts;
  /** Spans stored with Duration 0 because they end before they start. */
  spansReversed: number;
}

/** What OTLP/HTTP and OTLP/gRPC share: budget, pipeline, counters. */
export interface OtlpReceiver {
  readonly config: DecodingConfig;
  readonly counts: OtlpCounts;
  /** Room for the body of one request; throws `store.unavailable` once the receiver is closing. */
  hold(): BodyHold;
  /** Stores a request whose body is in `hold`. Throws what `failureOf` explains. */
  take(sender: Sender, request: Omit<SentRequest, 'sender'>, hold: BodyHold): Promise<Decoded>;
  /** Counts a request that was refused or failed, accounts for it, and says what its sender is told. */
  fail(error: unknown, from?: From): Failure;
  /** Bytes of requests that are not answered yet: their bodies, and their rows that wait to be stored. */
  pendingBytes(): number;
  /** Refuses new requests with 503 and resolves when everything that was taken is stored or failed. */
  close(): Promise<void>;
}

/** Whose a request is, as far as that is known when it fails. */
export interface From {
  readonly sender?: Sender | undefined;
  readonly signal?: Signal | undefined;
}

export interface Failure {
  readonly status: number;
  readonly message: string;
  /** Seconds after which to send it again. */
  readonly retryAfter?: number | undefined;
}

const KEY_COUNTS = Object.keys(noKeys()) as (keyof KeyCounts)[];
const RETRY_AFTER_S: Readonly<Record<number, number>> = { 429: 1, 503: 5 };

export function createOtlpReceiver(config: DecodingConfig, deps: OtlpDeps): OtlpReceiver {
  const counts: OtlpCounts = {
    requests: 0,
    failed: {},
    bytes: 0,
    stored: { traces: 0, logs: 0, metrics: 0 },
    spansReversed: 0,
    keys: noKeys(),
    masked: noMasks(),
  };
  const pipeline = createPipeline(config, {
    telemetry: deps.telemetry,
    logger: deps.logger,
    dropped: (source, signal, records) =>
      deps.intake.lost({ source, stream: signal, reason: 'not-stored', records }),
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
    async take({ source, companies }, sent, hold) {
      const request = { ...sent, sender: { source, companies } };
      const { signal } = request;
      const { decoded, inflated } = await pipeline.take(request, () => hold.release());
      counts.bytes += inflated;
      counts.spansReversed += decoded.reversed;
      for (const one of MASK_CLASSES) counts.masked[one] += decoded.masked[one];
      for (const what of KEY_COUNTS) counts.keys[what] += decoded.keys[what];
      counts.stored[signal] += decoded.accepted;
      const newest = decoded.newest > 0n ? { newest: decoded.newest } : {};
      deps.intake.arrived({ source, stream: signal, records: decoded.accepted, bytes: inflated, ...newest });
      for (const reason of Object.keys(REFUSALS) as Refusal[]) {
        const records = decoded.refused[reason];
        if (records > 0) deps.intake.lost({ source, stream: signal, reason: LOSSES[reason], records });
      }
      return decoded;
    },
    fail(error, { sender, signal } = {}) {
      const failure = failureOf(error);
      counts.failed[failure.status] = (counts.failed[failure.status] ?? 0) + 1;
      if (failure.status >= 500)
        deps.logger.error({ err: error, status: failure.status }, 'a request could not be stored');
      const reason = LOSS_OF_STATUS[failure.status];
      // A sender that went away in the middle sends again: nothing of it was refused.
      if (reason && !(error instanceof BrokenOff))
        deps.intake.lost({
          source: sender?.source ?? '(unknown)',
          stream: signal ?? 'otlp',
          reason,
          records: 1,
          detail: `a request, ${failure.status}`,
        });
      return failure;
    },
    pendingBytes: () => budget.bytes + pipeline.pendingBytes,
    async close() {
      closed = true;
      await pipeline.close();
    },
  };
}

/** Why a record that the decoder refuses is lost. */
const LOSSES: Readonly<Record<Refusal, LossReason>> = {
  id: 'bad-id',
  time: 'bad-time',
  signal: 'unsupported',
};

/** Why a request that is answered so is lost as a whole; what it held is not known. */
const LOSS_OF_STATUS: Readonly<Record<number, LossReason>> = {
  400: 'malformed',
  401: 'unauthenticated',
  413: 'too-large',
  415: 'media-type',
  429: 'overloaded',
  503: 'overloaded',
};

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
