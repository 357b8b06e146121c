import type { OdooModel } from '../../odoo/models.ts';
import type { OdooRecord } from './kind.ts';

/** An automation rule of Odoo that tells of a change by webhook. */
export interface HookRule {
  readonly model: OdooModel;
  /** What people see in Odoo, behind `Closewatch: `. */
  readonly name: string;
  readonly trigger: 'on_create_or_write' | 'on_unlink';
  /** Only writes of these fields are looked at: without them Odoo sends a score of requests for one record. */
  readonly fields: readonly string[];
  readonly before: string;
  readonly after: string;
  /** First version that it works in. */
  readonly from?: number;
  /** Does it fire for this change of a record? Undefined: of what is gone nothing is known. */
  readonly fires?: (
    before: Readonly<Record<string, unknown>> | undefined,
    now: OdooRecord['values'],
  ) => boolean;
}

const becomes =
  (field: string, isIt: (value: unknown) => boolean): NonNullable<HookRule['fires']> =>
  (before, now) =>
    isIt(now[field]) && !isIt(before?.[field]);
const is = (value: string) => (one: unknown) => one === value;

/**
 * The rules that `connect` makes: the fewest that tell at once of what people wait for, one request a transition (seen on real servers:
 * without trigger fields and filters one payment sends 35). All else the poll finds within half a minute.
 */
export const HOOK_RULES: readonly HookRule[] = [
  {
    model: 'account.move',
    name: 'entry posted',
    trigger: 'on_create_or_write',
    fields: ['state'],
    before: "[('state','!=','posted')]",
    after: "[('state','=','posted')]",
    fires: becomes('state', is('posted')),
  },
  {
    model: 'account.move',
    name: 'entry taken back',
    trigger: 'on_create_or_write',
    fields: ['state'],
    before: "[('state','=','posted')]",
    // Of a new record nothing is looked at before: a draft that was never posted must not count.
    after: "[('state','!=','posted'),('posted_before','=',True)]",
    fires: (before, now) => before?.state === 'posted' && now.state !== 'posted',
  },
  {
    model: 'account.move',
    name: 'entry deleted',
    trigger: 'on_unlink',
    fields: [],
    before: '[]',
    after: '[]',
  },
  {
    // Up to 17 the state of a payment is written on its entry alone.
    model: 'account.payment',
    name: 'payment registered or taken back',
    trigger: 'on_create_or_write',
    fields: ['state'],
    before: "[('state','=','draft')]",
    after: "[('state','!=','draft')]",
    from: 18,
    fires: becomes('state', (state) => state !== undefined && state !== 'draft'),
  },
  {
    model: 'purchase.order',
    name: 'order waits for approval',
    trigger: 'on_create_or_write',
    fields: ['state'],
    before: "[('state','!=','to approve')]",
    after: "[('state','=','to approve')]",
    fires: becomes('state', is('to approve')),
  },
  {
    model: 'purchase.order',
    name: 'order confirmed',
    trigger: 'on_create_or_write',
    fields: ['state'],
    before: "[('state','!=','purchase')]",
    after: "[('state','=','purchase')]",
    fires: becomes('state', is('purchase')),
  },
  {
    model: 'res.partner.bank',
    name: 'bank account changed',
    trigger: 'on_create_or_write',
    fields: ['acc_number', 'partner_id', 'allow_out_payment'],
    before: '[]',
    after: '[]',
  },
  {
    model: 'account.partial.reconcile',
    name: 'reconciliation undone',
    trigger: 'on_unlink',
    fields: [],
    before: '[]',
    after: '[]',
  },
];

/** Would one of the rules of the model have fired for this change? */
export const isHooked = (
  model: string,
  major: number,
  before: Readonly<Record<string, unknown>> | undefined,
  now: OdooRecord['values'],
): boolean =>
  HOOK_RULES.some(
    (rule) => rule.model === model && (rule.from ?? 0) <= major && rule.fires?.(before, now) === true,
  );
