import { z } from 'zod';

/** The limits of POST /v1/events. */
export const cloudEventsConfig = z.strictObject({
  maxEventBytes: z
    .int()
    .positive()
    .default(1 << 20)
    .describe('bytes of one event, inflated'),
  maxBatchBytes: z
    .int()
    .positive()
    .default(16 << 20)
    .describe('bytes of a batch, inflated'),
  maxBatchEvents: z.int().positive().default(1000).describe('events of a batch'),
});
export type CloudEventsConfig = z.infer<typeof cloudEventsConfig>;
