import { z } from 'zod';
import { elapsedMs } from './duration.ts';

/** What is kept and goes together. */
export const RETENTION_CLASSES = ['traces', 'logs', 'metrics', 'events', 'history'] as const;
export type RetentionClass = (typeof RETENTION_CLASSES)[number];

const DAY_MS = 86_400_000;
const atLeast = (days: number) =>
  elapsedMs.refine((ms) => ms >= days * DAY_MS, `must be at least ${days}d`).optional();

const hold = z.strictObject({
  of: z.array(z.enum(RETENTION_CLASSES)).min(1),
  reason: z.string().min(1).max(500),
  until: z.iso
    .date()
    .optional()
    .describe('the first day on which it holds no more; left out: it is taken out by hand'),
});
export type Hold = z.infer<typeof hold>;

/** How long each class is kept, in milliseconds; what is left out is kept for ever. */
export const retentionConfig = z
  .strictObject({
    traces: atLeast(1).describe('spans and their keys, by their start'),
    logs: atLeast(1).describe('log records, by their time'),
    metrics: atLeast(1).describe('data points, by their time'),
    events: atLeast(400).describe(
      'finance events and their keys, by receipt, in whole months; at least 400d, a fiscal year and its close',
    ),
    history: atLeast(400).describe(
      'history of exceptions, incidents and decisions, by their time; at least 400d',
    ),
    holds: z.array(hold).max(100).default([]).describe('what stays though its time is over, and why'),
  })
  .describe('How long what is stored is kept; nothing goes that is not named here');
export type RetentionConfig = z.infer<typeof retentionConfig>;

/** The hold on a class at an instant; the one that holds longest. */
export function holdOn(
  { holds }: Pick<RetentionConfig, 'holds'>,
  of: RetentionClass,
  at: Date,
): Hold | undefined {
  const day = at.toISOString().slice(0, 10);
  return holds
    .filter((one) => one.of.includes(of) && (one.until === undefined || day < one.until))
    .toSorted((a, b) => (b.until ?? '~').localeCompare(a.until ?? '~'))[0];
}

/** How long a class is kept at an instant, in milliseconds; undefined while it is held, or kept for ever. */
export const keptFor = (config: RetentionConfig, of: RetentionClass, at: Date): number | undefined =>
  holdOn(config, of, at) ? undefined : config[of];
