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

/**
 * Where the message of an incident goes; also where Slack has it since before the channel was another one, and only there
 * once it is resolved: whoever was not told of it need not hear that it is over.
 */
export function route(
  config: AlertsConfig,
  { incident, toldIn }: { incident: { readonly state: string }; toldIn: readonly string[] },
): Destination[] {
  const told = config.slack?.botToken ? toldIn : [];
  const isOver = incident.state === 'resolved' && told.length > 0;
  return [...new Set([...(isOver ? [] : channelsOf(config)), ...told])].map((channel) => ({
    channel,
    kind: 'incident',
  }));
}
