import { z } from 'zod';

const MIB = 1024 * 1024;

/** The settings of the OTLP/HTTP receiver; every limit has a default. */
export const otlpConfig = z
  .strictObject({
    maxBodyBytes: z
      .int()
      .positive()
      .default(64 * MIB)
      .describe(
        'A request may have so many bytes, as sent and again when inflated (OTLP 1.11 recommends 64 MiB)',
      ),
    maxRowBytes: z
      .int()
      .positive()
      .default(256 * MIB)
      .describe(
        'The rows of one request may take so much memory: every span repeats the attributes of its resource',
      ),
    maxPendingBytes: z
      .int()
      .positive()
      .default(256 * MIB)
      .describe(
        'Bytes held in all: bodies of requests that are not answered yet, inflated, and rows that are not stored yet; beyond it, 429',
      ),
    maxBlockBytes: z
      .int()
      .positive()
      .default(16 * MIB)
      .describe('A block is closed when it has grown to so many bytes'),
    gatherMs: z
      .int()
      .nonnegative()
      .default(10)
      .describe('So long the first request of a block waits for others, in milliseconds'),
    maxAheadMs: z
      .int()
      .nonnegative()
      .default(86_400_000)
      .describe('Spans with a time later than now plus this are refused, in milliseconds'),
  })
  .refine((config) => config.maxPendingBytes >= config.maxBodyBytes, {
    path: ['maxPendingBytes'],
    message: 'must be at least maxBodyBytes, or the largest request would never be taken',
  })
  .describe('OTLP/HTTP receiver');

export type OtlpConfig = z.infer<typeof otlpConfig>;
