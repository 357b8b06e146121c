import { z } from 'zod';
import type { PrivacyConfig } from '../../model/masking.ts';
import { keysConfig } from './keys-config.ts';

const MIB = 1024 * 1024;

/** The settings of the OTLP receiver; every limit has a default. */
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
        'The rows of one request may take so much memory: every record repeats the attributes of its resource',
      ),
    maxGrpcStreams: z
      .int()
      .positive()
      .default(64)
      .describe('Calls at a time on one gRPC connection; each may hold one message of maxBodyBytes'),
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
      .describe('Rows that are stored together are closed when they have grown to so many bytes'),
    gatherMs: z
      .int()
      .nonnegative()
      .default(10)
      .describe('So long the first request of a block waits for others, in milliseconds'),
    ack: z
      .enum(['stored', 'buffered'])
      .default('stored')
      .describe(
        'When requests are answered: when their records are stored, or as soon as they are read; then a crash loses what was not stored yet',
      ),
    maxStoreMs: z
      .int()
      .positive()
      .default(10_000)
      .describe(
        'While one insert takes longer than this, in milliseconds, new requests are refused with 503',
      ),
    maxAheadMs: z
      .int()
      .nonnegative()
      .default(86_400_000)
      .describe('Records with a time later than now plus this are refused, in milliseconds'),
    keys: keysConfig.prefault({}),
  })
  .refine((config) => config.maxPendingBytes >= config.maxBodyBytes, {
    path: ['maxPendingBytes'],
    message: 'must be at least maxBodyBytes, or the largest request would never be taken',
  })
  .describe('OTLP receiver');

export type OtlpConfig = z.infer<typeof otlpConfig>;

/** With how values are protected, and the key of their hashes; left out, all are kept. */
export interface DecodingConfig extends OtlpConfig {
  readonly privacy?: (PrivacyConfig & { readonly key: string }) | undefined;
}
