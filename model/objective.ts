import { z } from 'zod';
import { durationText } from './duration.ts';
import { runbook } from './expectation.ts';
import { closeImpact } from './severity.ts';

const share = z
  .string()
  .regex(/^\d{1,2}(\.\d{1,4})?%$/, 'must be a share below 100 %, such as 99.5%')
  .describe('objective: the share that must be good, over thirty days');
const globs = z
  .union([z.string().min(1).max(256), z.array(z.string().min(1).max(256)).min(1)])
  .transform((one) => [one].flat());

const common = {
  id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'must be a short id such as SLO-01')
    .describe('id of the objective; unique over all rules and objectives'),
  name: z.string().max(200).optional(),
  service: globs.describe('names of services, or globs of them'),
  inhibits: z
    .array(z.string())
    .min(1)
    .optional()
    .describe('ids of rules that an open exception of this explains'),
  closeImpact: closeImpact.default('none'),
  owner: z.string().optional(),
  runbook: runbook.optional(),
  observe: z.boolean().default(false),
  enabled: z.boolean().default(true),
};

const spans = {
  ...common,
  operation: globs.optional().describe('names of spans, or globs of them; left out: all'),
  span: z
    .enum(['server', 'client', 'consumer', 'producer', 'internal', 'any'])
    .default('any')
    .describe('kind of span'),
  least: z.int().min(1).default(5).describe('bad ones of the long window below which nothing is said'),
};

/** What the telemetry of services must keep to; told by how fast its error budget burns, or by what is new or not as usual. */
export const objective = z.discriminatedUnion('kind', [
  z
    .strictObject({ kind: z.literal('error-rate'), ...spans, objective: share })
    .describe('share of spans without an error'),
  z
    .strictObject({ kind: z.literal('latency'), ...spans, objective: share, within: durationText })
    .describe('share of spans that take no longer than `within`'),
  z
    .strictObject({ kind: z.literal('error-signature'), ...common, least: z.int().min(1).default(3) })
    .describe('errors in logs and spans that are new, or much more frequent than usual'),
  z
    .strictObject({
      kind: z.literal('series'),
      ...common,
      metric: z.string().min(1).max(256).describe('name of a gauge or a sum'),
      step: durationText.default('5m').describe('values of so long a time are taken together: their mean'),
    })
    .describe('a metric that is not as usual: a spike, a shift, a growing queue'),
]);
export type Objective = z.infer<typeof objective>;
