import type { Queues } from './queues.ts';

/** The queues of the house: who works one and who adds to it meet by these names. */
export const QUEUES = {
  detect: 'detect',
  triage: 'triage',
  ask: 'ask',
  alerts: 'alerts',
  actions: 'actions',
  housekeeping: 'housekeeping',
  anchors: 'anchors',
} as const;

/** Has a queue worked soon. However often it is asked for, one job waits and one more follows the one that runs. */
export async function wake(queues: Queues, name: keyof typeof QUEUES): Promise<void> {
  await queues.queue(QUEUES[name]).add(name, {}, { deduplication: { id: name, keepLastIfActive: true } });
}
