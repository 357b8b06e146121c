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
      /** The message to be edited was deleted, or stands there and can no longer be edited. */
      readonly gone?: 'deleted' | 'locked';
    };

/**
 * Whether Slack has a message of ours: found, absent, not to be told because the app may not read the channel's history,
 * or not told this time.
 */
export type Found =
  | { readonly state: 'found'; readonly ts: string }
  | { readonly state: 'absent' }
  | { readonly state: 'forbidden' }
  | { readonly state: 'failed'; readonly failure: NotSent };

export type NotSent = Extract<Sent, { ok: false }>;

export interface Sender {
  post(message: Outgoing): Promise<Sent>;
  edit(message: Outgoing, ts: string): Promise<Sent>;
  /** Looks for a message of ours in all that the channel got since. */
  find(message: Outgoing, since: Date): Promise<Found>;
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
const GONE: Partial<Record<string, 'deleted' | 'locked'>> = {
  message_not_found: 'deleted',
  cant_update_message: 'locked',
  edit_window_closed: 'locked',
};
const EVENT_TYPE = 'closewatch_message';
/** The most that Slack gives of a history at once. */
const HISTORY_PAGE = 999;
/** Milliseconds that reading a history may take: a delivery is leased for a time. */
const HISTORY_MS = 20_000;
/** Milliseconds by which Slack's clock may lie behind ours. */
const CLOCKS_APART_MS = 60_000;

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
      const oldest = ((since.getTime() - CLOCKS_APART_MS) / 1000).toFixed(6);
      const started = performance.now();
      let cursor: string | undefined;
      try {
        do {
          if (performance.now() - started > HISTORY_MS) return unread('history_too_long');
          const history = await editor.conversations.history({
            channel,
            oldest,
            limit: HISTORY_PAGE,
            include_all_metadata: true,
            ...(cursor && { cursor }),
          });
          const ts = history.messages?.find(({ metadata }) => isOurs(metadata, id))?.ts;
          if (ts) return { state: 'found', ts };
          cursor = history.response_metadata?.next_cursor || undefined;
        } while (cursor);
        return { state: 'absent' };
      } catch (error) {
        const { retry, error: code, retryAfterMs } = failure(error);
        // Without the right to read there is nothing to wait for: posting tells what else is wrong.
        return retry ? unread(code, retryAfterMs) : { state: 'forbidden' };
      }
    },
  };
}

function isOurs(
  metadata: { event_type?: string; event_payload?: object } | undefined,
  message: string,
): boolean {
  const payload = metadata?.event_payload as { message?: unknown } | undefined;
  return metadata?.event_type === EVENT_TYPE && payload?.message === message;
}

/** The history was not read: whether Slack has the message stays unknown, and is looked into again. */
const unread = (error: string, retryAfterMs?: number): Found => ({
  state: 'failed',
  failure: {
    ok: false,
    retry: true,
    error,
    unknown: true,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  },
});

async function attempt(call: () => Promise<string | undefined>): Promise<Sent> {
  try {
    const ts = await call();
    return ts ? { ok: true, ts } : { ok: false, retry: true, error: 'no_ts', unknown: true };
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): NotSent {
  if (error instanceof webApi.WebAPIRateLimitedError)
    return { ok: false, retry: true, error: 'ratelimited', retryAfterMs: error.retryAfter * 1_000 };
  if (error instanceof webApi.WebAPIPlatformError) {
    const code = String(error.data.error).slice(0, 100);
    const gone = GONE[code];
    if (gone) return { ok: false, retry: true, error: code, gone };
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
