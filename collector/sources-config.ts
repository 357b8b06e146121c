import { z } from 'zod';
import { parseDuration } from '../model/duration.ts';

const NANOS_PER_MS = 1_000_000n;

/** An elapsed time such as `30m`, in milliseconds: what is business time for one company is not for another. */
const elapsed = z.string().transform((text, context) => {
  const duration = parseDuration(text);
  if (duration?.clock === 'elapsed') return Number(duration.nanos / NANOS_PER_MS);
  context.addIssue({ code: 'custom', message: 'must be an elapsed time such as 90s, 30m, 4h or 2d' });
  return z.NEVER;
});

/** What is agreed of sources, by source; it holds for what lies below it by `/` too, and `*` for every source. */
export const sourcesConfig = z
  .record(
    z.string().min(1).max(1024),
    z.strictObject({
      lateness: elapsed
        .optional()
        .describe(
          'how late its data may come; left out: 10m. Without heartbeats it counts as complete up to then',
        ),
      silence: elapsed
        .optional()
        .describe('for how long it may say nothing; left out: one business day of the company'),
      domain: z
        .enum(['master', 'transactional', 'derived'])
        .optional()
        .describe('what kind of data it sends; left out: transactional'),
      authoritative: z
        .array(z.string().regex(/^[a-z][a-z0-9_-]*$/, 'must be a kind of objects, such as bill'))
        .optional()
        .describe('kinds of which it is the system of record; events of them from other sources are marked'),
    }),
  )
  .describe('Sources');
