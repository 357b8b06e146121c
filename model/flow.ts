import { z } from 'zod';
import { expectation, runbook } from './expectation.ts';
import { objective } from './objective.ts';

/** One catalogued integration: one flow file. */
export const flow = z.strictObject({
  $schema: z.string().optional(),
  flow: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be a short lower-case id such as ap-bills'),
  name: z.string().max(200),
  description: z.string().optional(),
  from: z.string().describe('the system that sends').optional(),
  to: z.string().describe('the system that receives').optional(),
  latency: z.enum(['real-time', 'micro-batch', 'batch']).default('micro-batch').describe('latency class'),
  owner: z.string().describe('team or person who answers for it'),
  runbook: runbook.optional(),
  redriveUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('where its owner takes a signed request to send events again'),
  model: z.boolean().default(true).describe('false: no language model is asked about its exceptions'),
  expectations: z.array(expectation).default([]),
  objectives: z.array(objective).default([]).describe('what the telemetry of its services must keep to'),
});
export type Flow = z.infer<typeof flow>;
