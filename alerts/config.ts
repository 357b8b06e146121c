import { ClosewatchError } from '../model/errors.ts';

export interface SlackConfig {
  /** `xoxb-…`; without it messages stay in the outbox. */
  readonly botToken?: string | undefined;
  /** Of the app; needed for the Acknowledge button over HTTP. */
  readonly signingSecret?: string | undefined;
  /** `xapp-…`: the button comes over Socket Mode instead of HTTP. */
  readonly appToken?: string | undefined;
  /** `https://slack.com/api/` when left out. */
  readonly apiUrl?: string | undefined;
  /** The channel's id, `C0123456789`; its name does not do, for messages are edited by id. */
  readonly channel?: string | undefined;
}

export interface AlertsConfig {
  /** Left out: messages stay in the outbox. */
  readonly slack?: SlackConfig | undefined;
  /** Where people reach the console, `http://localhost:4000`: the links of messages. Asked whenever a message is made. */
  readonly publicUrl: () => string;
  /** Milliseconds between two calls for one channel; 1,000, as Slack asks. */
  readonly channelIntervalMs?: number | undefined;
  /** Milliseconds that a run may spend on delivering; what is left waits for the next. 30,000. */
  readonly runMs?: number | undefined;
  /** Milliseconds after which a call of Slack counts as not answered; 5,000. */
  readonly slackTimeoutMs?: number | undefined;
}

/** The channel that messages go to when there is no Slack to send them to. */
export const OUTBOX_CHANNEL = 'outbox';

/** The configuration, checked. Throws `config.invalid` saying which setting is missing or wrong. */
export function checkConfig(config: AlertsConfig): AlertsConfig {
  const { botToken, channel } = config.slack ?? {};
  const problems = [];
  if (botToken && !channel) problems.push({ where: 'SLACK_CHANNEL', what: 'is needed with SLACK_BOT_TOKEN' });
  if (botToken && channel && !/^[CGD][A-Z0-9]{5,20}$/.test(channel))
    problems.push({ where: 'SLACK_CHANNEL', what: "must be the channel's id, such as C0123456789" });
  if (problems.length > 0)
    throw new ClosewatchError('config.invalid', 'the Slack settings are not complete', { problems });
  return config;
}
