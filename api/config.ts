import { z } from 'zod';

/** Limits and ways of the API; every one has a default. */
export const apiConfig = z.strictObject({
  maxBodyBytes: z.int().min(1_024).default(1_048_576).describe('longest body of a request'),
  timeoutMs: z.int().min(1).default(30_000).describe('longest time that a query may take'),
  maxConcurrent: z.int().min(1).default(64).describe('queries at the same time; more are told to come back'),
  sessionHours: z.int().min(1).max(24).default(8).describe('how long a sign-in lasts'),
  secureCookies: z.boolean().default(false).describe('the console is reached over HTTPS'),
});
export type ApiConfig = z.input<typeof apiConfig>;
