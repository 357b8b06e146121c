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
  'open-ticket': { tier: 'operator', title: 'Open a ticket with the owner of the interface' },
  investigate: { tier: 'none', title: 'Look into it by hand' },
} as const satisfies Record<string, { tier: Tier; title: string }>;
export type ActionKind = keyof typeof ACTIONS;
export const actionKind = z.enum(Object.keys(ACTIONS) as [ActionKind, ...ActionKind[]]);

/** A proposed action: by rules, a model or a person. Nothing runs it before people have decided. */
export const action = z.strictObject({
  kind: actionKind,
  reason: z.string().max(300),
  evidence: z.array(z.int().min(1)),
  proposedBy: z.enum(['rules', 'model', 'human']),
});
export type Action = z.infer<typeof action>;
