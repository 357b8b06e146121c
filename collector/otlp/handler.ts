import type { IncomingMessage, ServerResponse } from 'node:http';
import { ClosewatchError, errorCode } from '../../model/errors.ts';
import type { TelemetryStore } from '../../store/clickhouse/telemetry.ts';
import type { Logger } from '../../store/logger.ts';
import type { Sender } from '../../store/postgres/tokens.ts';
import { BodyBudget, BodyHold, readBody } from '../body.ts';
import { type Encoding, encodingOfType, sendStatus, sendStored, sendText } from './answers.ts';
import type { OtlpConfig } from './config.ts';
import { type Decoded, REFUSALS, type Refusal, refusedIn } from './decoder.ts';
import { protobufOfJson } from './json.ts';
import { TraceDecoder } from './traces.ts';
import { createSpanWriter } from './writer.ts';

export interface OtlpDeps {
  readonly telemetry: TelemetryStore;
  /** Who sends; throws `auth.*`. */
  authenticate(req: IncomingMessage): Promise<Sender>;
  readonly logger: Logger;
  /** Called when the spans of a request are stored, before the sender is told. */
  stored?(sender: Sender, spans: number): void;
  now?(): Date;
}

/** What came in since the start: counters for metrics. */
export interface OtlpCounts {
  requests: number;
  /** Requests that were refused or failed, by HTTP status. */
  failed: Record<number, number>;
  /** Bytes of bodies as they are read, inflated. */
  bytes: number;
  /** Spans stored; a span that its sender sends again counts again. */
  spans: number;
  spansRefused: Decoded['refused'];
  /** Spans stored with Duration 0 because they end before they start. */
  spansReversed: number;
}

export interface OtlpHandler {
  (req: IncomingMessage, res: ServerResponse): Promise<void>;
  readonly counts: OtlpCounts;
  /** Bytes of requests that are not answered yet: their bodies, and their rows that wait to be stored. */
  pendingBytes(): number;
  /** Refuses new requests with 503 and resolves when everything that was taken is stored or failed. */
  close(): Promise<void>;
}

const RETRY_AFTER_S = { 429: 1, 503: 5 } as const;

/**
 * Handles `/v1/traces` (OTLP/HTTP 1.11, protobuf and JSON, gzip): 200 means that every span not named in
 * `partial_success` is stored. `/v1/logs` and `/v1/metrics` are answered 404: not supported yet.
 */
export function createOtlpHandler(config: OtlpConfig, deps: OtlpDeps): OtlpHandler {
  const counts: OtlpCounts = {
    requests: 0,
    failed: {},
    bytes: 0,
    spans: 0,
    spansRefused: { id: 0, time: 0, signal: 0 },
    spansReversed: 0,
  };
  const writer = createSpanWriter(config, {
    insert: (table, blocks, token) => deps.telemetry.insert(table, blocks, token),
  });
  const decoder = new TraceDecoder();
  const now = deps.now ?? (() => new Date());
  const budget = new BodyBudget(config.maxPendingBytes, () => writer.pendingBytes);
  let closed = false;

  const receive = async (req: IncomingMessage, encoding: Encoding, hold: BodyHold): Promise<Decoded> => {
    const sender = await deps.authenticate(req);
    if (pathOf(req) !== '/v1/traces')
      throw new ClosewatchError(
        'request.path',
        `${pathOf(req)} is not supported yet; spans go to /v1/traces`,
      );
    if (closed) throw new ClosewatchError('store.unavailable', 'the collector is shutting down');
    const sent = await readBody(req, config.maxBodyBytes, hold);
    counts.bytes += sent.length;
    const body = encoding === 'application/json' ? protobufOfJson(sent) : sent;
    const latest = BigInt(now().getTime() + config.maxAheadMs) * 1_000_000n;
    const limits = { latest, maxRowBytes: config.maxRowBytes };
    const decoded = await writer.write((sink) => decoder.decode(body, sink, limits));
    count(counts, decoded);
    deps.stored?.(sender, decoded.accepted);
    if (refusedIn(decoded) > 0)
      deps.logger.warn(
        { source: sender.source, ...decoded.refused, stored: decoded.accepted },
        'spans were refused',
      );
    return decoded;
  };

  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    counts.requests++;
    const refuse = (status: number, message: string, encoding?: Encoding): void => {
      counts.failed[status] = (counts.failed[status] ?? 0) + 1;
      if (encoding) sendStatus(res, encoding, status, message);
      else sendText(res, status, message);
    };
    if (req.method !== 'POST') {
      res.setHeader('allow', 'POST');
      return refuse(405, 'use POST');
    }
    const encoding = encodingOfType(req.headers['content-type']);
    if (!encoding) return refuse(415, 'Content-Type must be application/x-protobuf or application/json');
    const hold = new BodyHold(budget);
    try {
      sendStored(res, encoding, await receive(req, encoding, hold));
    } catch (error) {
      const { status, message } = answerTo(error);
      if (status === 401) res.setHeader('www-authenticate', 'Bearer');
      if (status === 429 || status === 503) res.setHeader('retry-after', RETRY_AFTER_S[status]);
      if (status >= 500) deps.logger.error({ err: error, status }, 'a request could not be stored');
      refuse(status, message, encoding);
    } finally {
      hold.release();
    }
  };

  return Object.assign(handle, {
    counts,
    pendingBytes: () => budget.bytes + writer.pendingBytes,
    async close() {
      closed = true;
      await writer.close();
    },
  });
}

const pathOf = (req: IncomingMessage): string => req.url?.split('?', 1)[0] ?? '';

/**
 * What the sender is told. Failures of ours are 503, whatever they are: the spans may be sound, and a sender drops them on
 * any other 5xx. What went wrong stays in the log.
 */
function answerTo(error: unknown): { status: number; message: string } {
  const code = errorCode(error);
  const { status, message } = error as ClosewatchError;
  if (code === 'request.overloaded') return { status: 429, message };
  if (code === undefined || status >= 500)
    return { status: 503, message: 'the spans cannot be stored now; send them again later' };
  return { status, message };
}

function count(counts: OtlpCounts, decoded: Decoded): void {
  counts.spans += decoded.accepted;
  counts.spansReversed += decoded.reversed;
  for (const reason of Object.keys(REFUSALS) as Refusal[])
    counts.spansRefused[reason] += decoded.refused[reason];
}
