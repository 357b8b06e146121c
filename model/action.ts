import { z } from 'zod';

/** How many people an action needs: none, one operator, or a second person who made neither document nor proposal. */
export const TIERS = ['none', 'operator', 'four-eyes'] as const;
export const tier = z.enum(TIERS);
export type Tier = z.infer<typeof tier>;

/** The closed catalogue of what may be proposed as a next step. */
export const ACTIONS = {
  'reprocess-events': { tier: 'operator', title: 'Process the accepted events again in Closewatch' },
  'redrive-events': { tier: 'four-eyes', title: 'Ask the sending system to send the events again' },
  'requeue-job': { tier: 'operator', title: 'Put the failed job back into its queue' },
  'nudge-approver': { tier: 'none', title: 'Remind the approver' },
  'create-odoo-activity': {
    tier: 'operator',
    title: 'Create an activity in Odoo for the responsible person',
  },
  'rerun-posting': { tier: 'four-eyes', title: 'Run the posting in Odoo again' },
  'mark-for-accrual': { tier: 'operator', title: 'Put the document on the accrual list' },
  waive: { tier: 'operator', title: 'Waive the exceptions until a date' },
  'open-ticket': { tier: 'operator', title: 'Open a ticket with the owner of the interface' },
  investigate: { tier: 'none', title: 'Look into it by hand' },
} as const satisfies Record<string, { tier: Tier; title: string }>;
export type ActionKind = keyof typeof ACTIONS;
export const actionKind = z.enum(Object.keys(ACTIONS) as [ActionKind, ...ActionKind[]]);

/** What a model may name: everything but to let something be as it is. */
export const modelActionKind = actionKind.exclude(['waive']);
export type ModelActionKind = z.infer<typeof modelActionKind>;

const document = z.strictObject({
  source: z.string().max(1024).describe('the connected Odoo, such as /odoo/prod'),
  model: z
    .string()
    .regex(/^[a-z][a-z0-9_.]{0,63}$/)
    .describe('account.move, purchase.order …'),
  id: z.int().min(1),
});
const events = z
  .array(z.strictObject({ source: z.string().max(1024), id: z.string().max(512) }))
  .min(1)
  .max(1_000);
const exceptions = z.array(z.string().max(128)).min(1).max(1_000);
const plainText = (most: number) => z.string().trim().min(1).max(most);

/** What each action is told: nothing else reaches whoever carries it out. */
export const ACTION_PARAMETERS = {
  'reprocess-events': z.strictObject({ events }),
  'redrive-events': z.strictObject({ flow: z.string().max(128), events }),
  'requeue-job': z.strictObject({ source: document.shape.source, job: z.int().min(1) }),
  'nudge-approver': document,
  'create-odoo-activity': document.extend({
    user: z.int().min(1),
    summary: plainText(100),
    note: plainText(1_000),
    deadline: z.iso.date(),
  }),
  'rerun-posting': z.strictObject({ source: document.shape.source, id: z.int().min(1) }),
  'mark-for-accrual': z.strictObject({ exceptions }),
  waive: z.strictObject({ exceptions, until: z.iso.date() }),
  'open-ticket': z.strictObject({ title: plainText(200), text: plainText(4_000) }),
  investigate: z.strictObject({}),
} as const satisfies Record<ActionKind, z.ZodType>;

/** The last day until which something may be waived at `at`: the end of the month after the current one. Nothing is waived for ever. */
export const lastWaiverDay = (at: Date): string =>
  new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 2, 0)).toISOString().slice(0, 10);

/** Why parameters are none of the action at `at`; undefined when they are. */
export function parametersFault(kind: ActionKind, parameters: unknown, at: Date): string | undefined {
  const read = ACTION_PARAMETERS[kind].safeParse(parameters);
  if (!read.success) return `these are no parameters of ${kind}: ${z.prettifyError(read.error)}`;
  if (kind !== 'waive') return undefined;
  const { until } = ACTION_PARAMETERS.waive.parse(parameters);
  const [today, last] = [at.toISOString().slice(0, 10), lastWaiverDay(at)];
  return until > today && until <= last ? undefined : `a waiver ends after ${today} and by ${last}`;
}

/** A proposed action: by rules, a model or a person. Nothing runs it before people have decided. */
export const action = z.strictObject({
  kind: actionKind,
  reason: z.string().max(300),
  evidence: z.array(z.int().min(1)),
  proposedBy: z.enum(['rules', 'model', 'human']),
});
export type Action = z.infer<typeof action>;
