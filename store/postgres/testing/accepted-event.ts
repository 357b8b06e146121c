import type { AcceptedEvent } from '../accepted.ts';

/** An event of a shop as the intake hands it on; its hash goes with its id. */
export const acceptedEvent = (id: string, more: Partial<AcceptedEvent['event']> = {}): AcceptedEvent => ({
  event: {
    id,
    source: '/shop',
    type: 'order.paid',
    version: 1,
    time: '2026-05-31T17:00:00Z',
    sequence: '0',
    company: 'acme',
    subject: `order/${id}`,
    ingestPath: 'push',
    keys: [{ type: 'extid', value: id }],
    attributes: {},
    data: '{}',
    ...more,
  },
  bodyHash: `hash of ${id}`,
});
