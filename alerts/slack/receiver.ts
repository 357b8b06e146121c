import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type App, isValidSlackRequest, type Receiver } from '@slack/bolt';
import { LRUCache } from 'lru-cache';

export interface SlackReceiver extends Receiver {
  /** Answers one request to `POST /slack/events`. */
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
}

export interface ReceiverConfig {
  readonly signingSecret: string;
  /** Epoch milliseconds; for tests. */
  readonly nowMs?: (() => number) | undefined;
}

/** How far a request's timestamp may be from our clock, either way. */
const WINDOW_MS = 5 * 60_000;
const MAX_BODY_BYTES = 512 * 1024;
/** What is read away of a body that is too large: who still sends does not hear the answer. */
const MAX_DRAINED_BYTES = 8 * 1024 * 1024;
const BODY_MS = 5_000;

type Refusal = { readonly status: number; readonly reason: string };

/**
 * A receiver for Bolt that runs inside another's HTTP server. It takes what Slack signed within five minutes, before or
 * ahead, and each signed request once: a replay is answered 200 and does nothing. (Bolt's own receiver lets timestamps of
 * the future and replays through.)
 */
export function createReceiver(config: ReceiverConfig): SlackReceiver {
  const nowMs = config.nowMs ?? Date.now;
  const seen = new LRUCache<string, true>({ max: 50_000, ttl: 2 * WINDOW_MS + 60_000 });
  let app: App | undefined;

  function verify(req: IncomingMessage, body: string): Refusal | undefined {
    const signature = single(req.headers['x-slack-signature']);
    const timestamp = single(req.headers['x-slack-request-timestamp']);
    if (!signature || !timestamp || !/^\d{1,12}$/.test(timestamp))
      return { status: 401, reason: 'the request is not signed' };
    if (Math.abs(nowMs() - Number(timestamp) * 1_000) > WINDOW_MS)
      return { status: 401, reason: 'the timestamp is too old or in the future' };
    const valid = isValidSlackRequest({
      signingSecret: config.signingSecret,
      body,
      headers: { 'x-slack-signature': signature, 'x-slack-request-timestamp': Number(timestamp) },
      nowMilliseconds: nowMs(),
    });
    return valid ? undefined : { status: 401, reason: 'the signature does not fit' };
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.method !== 'POST') return end(res, 405, 'only POST is taken here');
    const body = await readBody(req);
    if (typeof body !== 'string') return end(res, body.status, body.reason);
    const refusal = verify(req, body);
    if (refusal) return end(res, refusal.status, refusal.reason);
    const payload = parseBody(body, single(req.headers['content-type']) ?? '');
    if (!payload) return end(res, 400, 'the body is neither JSON nor a Slack form');
    if (payload.ssl_check === '1') return end(res, 200);
    if (payload.type === 'url_verification') return end(res, 200, String(payload.challenge ?? ''));
    const id = createHash('sha256')
      .update(`${req.headers['x-slack-request-timestamp']}\n${body}`)
      .digest('hex');
    if (seen.has(id)) return end(res, 200);
    seen.set(id, true);
    await dispatch(payload, req, res).catch(() => {
      seen.delete(id);
      end(res, 500, 'not handled');
    });
  }

  async function dispatch(
    payload: Record<string, unknown>,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> {
    const retry = Number(single(req.headers['x-slack-retry-num']));
    const reason = single(req.headers['x-slack-retry-reason']);
    await app?.processEvent({
      body: payload,
      ack: async (answer?: unknown) =>
        end(res, 200, typeof answer === 'string' ? answer : answer ? JSON.stringify(answer) : ''),
      ...(Number.isInteger(retry) && { retryNum: retry }),
      ...(reason !== undefined && { retryReason: reason }),
    });
    end(res, 200);
  }

  return {
    handle,
    init(bolt) {
      app = bolt;
    },
    async start() {},
    async stop() {},
  };
}

const single = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? undefined : value;

function end(res: ServerResponse, status: number, text = ''): void {
  if (res.writableEnded || res.headersSent) return;
  const type = text.startsWith('{') ? 'application/json' : 'text/plain; charset=utf-8';
  res.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' });
  res.end(text);
}

function parseBody(body: string, contentType: string): Record<string, unknown> | undefined {
  try {
    const form = contentType.startsWith('application/x-www-form-urlencoded');
    const fields = form ? Object.fromEntries(new URLSearchParams(body)) : undefined;
    const parsed: unknown = fields
      ? fields.payload
        ? JSON.parse(fields.payload)
        : fields
      : JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

async function readBody(req: IncomingMessage): Promise<string | Refusal> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(() => req.destroy(), BODY_MS);
  try {
    // A request that is destroyed in the middle takes the answer with it.
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength;
      if (bytes > MAX_DRAINED_BYTES) break;
      if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
    }
    if (bytes > MAX_BODY_BYTES) return { status: 413, reason: 'the body is too large' };
    return Buffer.concat(chunks).toString('utf8');
  } catch {
    return { status: 400, reason: 'the body did not arrive' };
  } finally {
    clearTimeout(timer);
  }
}
