import { type AlertsConfig, OUTBOX_CHANNEL } from './config.ts';

export interface Destination {
  readonly channel: string;
  /** `incident`: the one message of an incident. */
  readonly kind: string;
}

/** The channels in which new messages appear: one. */
export const channelsOf = ({ slack }: AlertsConfig): [string] => [
  slack?.botToken && slack.channel ? slack.channel : OUTBOX_CHANNEL,
];

/** Where the message of an incident goes; also where Slack has it since before the channel was another one. */
export const route = (config: AlertsConfig, toldIn: readonly string[]): Destination[] =>
  [...new Set([...channelsOf(config), ...(config.slack?.botToken ? toldIn : [])])].map((channel) => ({
    channel,
    kind: 'incident',
  }));
