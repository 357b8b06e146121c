import { type AlertsConfig, OUTBOX_CHANNEL } from './config.ts';

export interface Destination {
  readonly channel: string;
  /** `incident`: the one message of an incident. */
  readonly kind: string;
}

/** Where the message of an incident goes: one channel. */
export const route = ({ slack }: AlertsConfig): Destination[] => [
  { channel: slack?.channel ?? OUTBOX_CHANNEL, kind: 'incident' },
];
