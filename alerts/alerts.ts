import type { IncomingMessage, ServerResponse } from 'node:http';
import { SocketModeReceiver } from '@slack/bolt';
import { canonicalHash } from '../model/canonical-json.ts';
import { dateOf, nanosOf } from '../model/time.ts';
import type { Counters } from '../store/counters.ts';
import type { Logger } from '../store/logger.ts';
import type { Postgres } from '../store/postgres/database.ts';
import { noteDestinations } from '../store/postgres/destinations.ts';
import { incidentsToRoute, putMessages, type RenderedMessage } from '../store/postgres/messages.ts';
import { withSpan } from '../store/tracing.ts';
import { type AlertsConfig, checkConfig, type SlackConfig } from './config.ts';
import { deliver } from './deliver.ts';
import { createPace } from './pace.ts';
import { render } from './render.ts';
import { channelsOf, route } from './route.ts';
import { createSlackApp, slackLogger } from './slack/app.ts';
import { limitProblems } from './slack/blocks.ts';
import { createReceiver } from './slack/receiver.ts';
import { createSender } from './slack/sender.ts';

export interface AlertsDeps {
  readonly postgres: Postgres;
  readonly logger: Logger;
  readonly counters?: Counters | undefined;
  /** The company of a key, whose name messages show. */
  readonly company: (key: string) => { readonly name?: string | undefined };
  /** Epoch nanoseconds, for what people do by button; the wall clock when left out. */
  readonly now?: (() => bigint) | undefined;
}

interface AlertsResult {
  /** Messages that are new or tell something else than before. */
  readonly changed: number;
  readonly posted: number;
  readonly edited: number;
  readonly failed: number;
}

export interface Alerts {
  /**
   * Brings the messages to the state of the incidents, as of `now` (epoch nanoseconds), and delivers what is due. Called
   * while it runs, it runs once more after that.
   */
  run(now: bigint): Promise<AlertsResult>;
  /** For `POST /slack/events`: there when a bot token and a signing secret are configured and Socket Mode is not. */
  readonly slackHandler?: (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  /** Ends the socket and the run, which finishes no more than the message that is on its way. */
  stop(): Promise<void>;
}

const PAGE = 200;

/** The messages of incidents: route, render, compare, deliver. Throws `config.invalid` for settings that do not do. */
export function createAlerts(given: AlertsConfig, deps: AlertsDeps): Alerts {
  const config = checkConfig(given);
  const slack = config.slack ?? {};
  const { postgres, logger, counters } = deps;
  const now = deps.now ?? (() => nanosOf(new Date()));
  const pace = createPace(config.channelIntervalMs ?? 1_000);
  const sender =
    slack.botToken === undefined
      ? undefined
      : createSender({
          botToken: slack.botToken,
          apiUrl: slack.apiUrl,
          timeoutMs: config.slackTimeoutMs,
          logger: slackLogger(logger),
        });
  const stopping = new AbortController();
  let running: Promise<AlertsResult> | undefined;
  let again: Promise<AlertsResult> | undefined;

  let noted = false;
  async function tell(at: bigint): Promise<number> {
    if (!noted) await noteDestinations(postgres, channelsOf(config), at);
    noted = true;
    let changed = 0;
    for (;;) {
      const page = await incidentsToRoute(postgres, PAGE, dateOf(at));
      for (const news of page) {
        const messages = route(config, news).map(({ channel, kind }): RenderedMessage => {
          const { blocks, text } = render(news, {
            publicUrl: config.publicUrl(),
            companyName: deps.company(news.incident.company).name,
          });
          const problems = limitProblems({ blocks, text });
          if (problems.length > 0) {
            counters?.add('closewatch_messages_over_limits', {});
            logger.error({ problems, incident: news.incident.id }, 'a message breaks limits');
          }
          return { channel, kind, blocks, text, contentHash: canonicalHash({ blocks, text }) };
        });
        changed += await putMessages(postgres, news.incident, messages, { now: at, outbox: !sender });
      }
      if (page.length < PAGE) return changed;
    }
  }

  async function once(at: bigint): Promise<AlertsResult> {
    const changed = await tell(at);
    const done = sender
      ? await deliver({ postgres, sender, pace, logger, counters }, at, {
          runMs: config.runMs ?? 30_000,
          signal: stopping.signal,
        })
      : { posted: 0, edited: 0, failed: 0 };
    return { changed, ...done };
  }

  function run(at: bigint): Promise<AlertsResult> {
    if (running) {
      again ??= running
        .catch(() => undefined)
        .then(() => {
          again = undefined;
          return run(at);
        });
      return again;
    }
    running = withSpan('alerts.run', {}, () => once(at)).finally(() => {
      running = undefined;
    });
    return running;
  }

  const changed = (): void => {
    run(now()).catch((error: unknown) => logger.error({ err: error }, 'messages did not follow a change'));
  };
  const inbound = openInbound(slack, { ...deps, now, changed });

  return {
    run,
    ...(inbound?.handle && { slackHandler: inbound.handle }),
    async stop() {
      stopping.abort();
      await inbound?.stop();
      await again?.catch(() => undefined);
      await running?.catch(() => undefined);
    },
  };
}

interface Inbound {
  readonly handle?: (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  stop(): Promise<void>;
}

/** How clicks come in: over Socket Mode with an app token, over HTTP with a signing secret, else not at all. */
function openInbound(
  { botToken, appToken, signingSecret, apiUrl }: SlackConfig,
  deps: AlertsDeps & { now: () => bigint; changed: () => void },
): Inbound | undefined {
  if (!botToken) return undefined;
  if (appToken) {
    const receiver = new SocketModeReceiver({
      appToken,
      logger: slackLogger(deps.logger),
      ...(apiUrl && { installerOptions: { clientOptions: { slackApiUrl: apiUrl } } }),
    });
    const app = createSlackApp({ botToken, apiUrl, receiver }, deps);
    app.start().catch((error: Error) => {
      deps.logger.error({ error: error.message }, "Slack's Socket Mode did not start");
    });
    return { stop: async () => void (await app.stop().catch(() => undefined)) };
  }
  if (!signingSecret) return undefined;
  const receiver = createReceiver({ signingSecret, nowMs: () => Number(deps.now() / 1_000_000n) });
  createSlackApp({ botToken, apiUrl, receiver }, deps);
  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    await receiver.handle(req, res);
    const { statusCode } = res;
    if (statusCode >= 400)
      deps.counters?.add('closewatch_slack_requests_refused', { status: `${statusCode}` });
  };
  return { handle, stop: async () => {} };
}
