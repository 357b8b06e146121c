import { webApi } from '@slack/bolt';
import type { Block } from './blocks.ts';

/** A message to be sent: `id` is ours, and stays the same over every attempt. */
export interface Outgoing {
  readonly id: string;
  readonly channel: string;
  readonly blocks: readonly Block[];
  readonly text: string;
}

/** What became of a call: Slack's `ts` of the message, or whether trying again can help. */
export type Sent =
  | { readonly ok: true; readonly ts: string }
  | {
      readonly ok: false;
      readonly retry: boolean;
      readonly error: string;
      /** Slack asked to wait so long. */
      readonly retryAfterMs?: number;
      /** It is unknown whether Slack took the message. */
      readonly unknown?: boolean;
      /** The message to be edited is no longer there. */
      readonly gone?: boolean;
    };

export interface Sender {
  post(message: Outgoing): Promise<Sent>;
  edit(message: Outgoing, ts: string): Promise<Sent>;
  /** The `ts` of a message of ours that was posted since, when the app may read the channel's history. */
  find(message: Outgoing, since: Date): Promise<string | undefined>;
}

/** Slack's errors after which the same call may succeed. */
const TRANSIENT = new Set([
  'ratelimited',
  'rate_limited',
  'message_limit_exceeded',
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'team_added_to_org',
]);
const GONE = new Set(['message_not_found', 'cant_update_message', 'edit_window_closed']);
const EVENT_TYPE = 'closewatch_message';

export interface SenderConfig {
  readonly botToken: string;
  readonly apiUrl?: string | undefined;
  readonly logger: webApi.WebClientOptions['logger'];
  /** Milliseconds; 5,000. */
  readonly timeoutMs?: number | undefined;
}

/** Options for every client of Slack's Web API: short timeouts, few retries, and no queue that waits on a 429. */
export const clientOptions = (
  config: Omit<SenderConfig, 'botToken'>,
  retries: number,
): webApi.WebClientOptions => ({
  slackApiUrl: config.apiUrl ?? 'https://slack.com/api/',
  ...(config.logger && { logger: config.logger }),
  timeout: config.timeoutMs ?? 5_000,
  retryConfig: { retries, minTimeout: 200, maxTimeout: 1_000 },
  rejectRateLimitedCalls: true,
  allowAbsoluteUrls: false,
});

/**
 * Sends through Slack's Web API. Posting is not repeated by the client, for a lost answer would make two messages;
 * editing is, up to twice.
 */
export function createSender(config: SenderConfig): Sender {
  const poster = new webApi.WebClient(config.botToken, clientOptions(config, 0));
  const editor = new webApi.WebClient(config.botToken, clientOptions(config, 2));
  return {
    async post({ id, channel, blocks, text }) {
      return await attempt(async () => {
        const reply = await poster.chat.postMessage({
          channel,
          text,
          blocks: [...blocks],
          unfurl_links: false,
          unfurl_media: false,
          metadata: { event_type: EVENT_TYPE, event_payload: { message: id } },
        });
        return reply.ts;
      });
    },
    async edit({ channel, blocks, text }, ts) {
      return await attempt(async () => {
        await editor.chat.update({ channel, ts, text, blocks: [...blocks] });
        return ts;
      });
    },
    async find({ id, channel }, since) {
      const oldest = (since.getTime() / 1000 - 60).toFixed(6);
      try {
        const history = await editor.conversations.history({
          channel,
          oldest,
          limit: 200,
          include_all_metadata: true,
        });
        return history.messages?.find(({ metadata }) => {
          const payload = metadata?.event_payload as { message?: unknown } | undefined;
          return metadata?.event_type === EVENT_TYPE && payload?.message === id;
        })?.ts;
      } catch {
        return undefined;
      }
    },
  };
}

async function attempt(call: () => Promise<string | undefined>): Promise<Sent> {
  try {
    const ts = await call();
    return ts ? { ok: true, ts } : { ok: false, retry: true, error: 'no_ts', unknown: true };
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): Extract<Sent, { ok: false }> {
  if (error instanceof webApi.WebAPIRateLimitedError)
    return { ok: false, retry: true, error: 'ratelimited', retryAfterMs: error.retryAfter * 1_000 };
  if (error instanceof webApi.WebAPIPlatformError) {
    const code = String(error.data.error).slice(0, 100);
    if (GONE.has(code)) return { ok: false, retry: true, error: code, gone: true };
    return { ok: false, retry: TRANSIENT.has(code), error: code };
  }
  if (error instanceof webApi.WebAPIHTTPError)
    return {
      ok: false,
      retry: error.statusCode >= 500,
      error: `http_${error.statusCode}`,
      unknown: error.statusCode >= 500,
    };
  return { ok: false, retry: true, error: 'no_answer', unknown: true };
}
