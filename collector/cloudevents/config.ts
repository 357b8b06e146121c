import { z } from 'zod';

/** The limits of POST /v1/events. */
export const cloudEventsConfig = z
  .strictObject({
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
    maxPendingBytes: z
      .int()
      .positive()
      .default(64 << 20)
      .describe('bytes of all requests that are not answered yet, inflated; beyond it, 429'),
  })
  .refine((config) => config.maxPendingBytes >= Math.max(config.maxEventBytes, config.maxBatchBytes), {
    path: ['maxPendingBytes'],
    message: 'must be at least maxBatchBytes and maxEventBytes, or the largest request would never be taken',
  });
export type CloudEventsConfig = z.infer<typeof cloudEventsConfig>;
