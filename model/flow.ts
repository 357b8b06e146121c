import { z } from 'zod';
import { expectation, runbook } from './expectation.ts';
import { objective } from './objective.ts';

/** A class of data, as the owner of a flow names it. */
export const dataClass = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be a short lower-case word such as payroll');

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
  dataClasses: z
    .array(dataClass)
    .default([])
    .describe('what its data are, such as payroll: a deployment may keep a class from language models'),
  expectations: z.array(expectation).default([]),
  objectives: z.array(objective).default([]).describe('what the telemetry of its services must keep to'),
});
export type Flow = z.infer<typeof flow>;

/** The flows about whose exceptions no language model is asked: those that say so, and those of a class of data that is kept from it. */
export const flowsWithoutModel = (
  flows: readonly Pick<Flow, 'flow' | 'model' | 'dataClasses'>[],
  classes: readonly string[],
): Set<string> =>
  new Set(
    flows
      .filter(({ model, dataClasses }) => !model || dataClasses.some((one) => classes.includes(one)))
      .map(({ flow: id }) => id),
  );
