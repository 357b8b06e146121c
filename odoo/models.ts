import { tableVersion } from './version.ts';

/** A field that is read, under the name that it has in the newest version; what it is called, and where it is. */
interface Field {
  readonly as: string;
  /** First version that has it, and last one. */
  readonly from?: number;
  readonly to?: number;
  /** What it is called there, when not `as`. */
  readonly name?: string;
  /** Comes with a module that may not be installed: its absence is no fault. */
  readonly optional?: true;
}

/** Tells of a model what is read of it, from which version to which. */
interface Model {
  readonly model: string;
  readonly from?: number;
  readonly to?: number;
  /** The module that brings it, where it may not be installed. */
  readonly module?: string;
  readonly fields: readonly (string | Field)[];
}

const STAMPS = ['create_uid', 'create_date', 'write_uid', 'write_date'] as const;

/**
 * What is read of Odoo, by version (finance.md B.5 to B.9, and `fields_get` of servers of 18 and 19). No field here is computed as
 * it is read, but for those that are copied from another record: some of the others take milliseconds a row.
 */
const MODELS = [
  {
    model: 'account.move',
    fields: [
      'name',
      'ref',
      'state',
      'move_type',
      'payment_state',
      'date',
      'invoice_date',
      'invoice_date_due',
      'journal_id',
      'company_id',
      'partner_id',
      'commercial_partner_id',
      'partner_bank_id',
      'currency_id',
      'amount_total',
      'amount_untaxed',
      'amount_residual',
      'amount_total_signed',
      'payment_reference',
      'invoice_origin',
      'reversed_entry_id',
      'statement_line_id',
      'inalterable_hash',
      'auto_post',
      { as: 'origin_payment_id', from: 18 },
      { as: 'origin_payment_id', to: 17, name: 'payment_id' },
      { as: 'checked', from: 18 },
      { as: 'to_check', to: 17 },
      { as: 'edi_state', optional: true },
      { as: 'peppol_move_state', optional: true },
      { as: 'peppol_message_uuid', optional: true },
      ...STAMPS,
    ],
  },
  {
    model: 'account.payment',
    fields: [
      'name',
      'date',
      'state',
      'amount',
      'currency_id',
      'payment_type',
      'partner_type',
      'partner_id',
      'partner_bank_id',
      'journal_id',
      'company_id',
      'payment_reference',
      'is_matched',
      'is_reconciled',
      'move_id',
      'amount_company_currency_signed',
      { as: 'memo', from: 18 },
      { as: 'memo', to: 17, name: 'ref' },
      { as: 'is_sent', from: 18 },
      { as: 'is_sent', to: 17, name: 'is_move_sent' },
      { as: 'invoice_ids', from: 18 },
      ...STAMPS,
    ],
  },
  {
    model: 'account.partial.reconcile',
    fields: [
      'debit_move_id',
      'credit_move_id',
      'amount',
      'debit_amount_currency',
      'credit_amount_currency',
      'debit_currency_id',
      'credit_currency_id',
      'full_reconcile_id',
      'max_date',
      'company_id',
      ...STAMPS,
    ],
  },
  {
    model: 'account.bank.statement',
    fields: [
      'name',
      'date',
      'journal_id',
      'company_id',
      'balance_start',
      'balance_end',
      'balance_end_real',
      'is_complete',
      ...STAMPS,
    ],
  },
  {
    model: 'account.bank.statement.line',
    fields: [
      'move_id',
      { as: 'journal_id', from: 18 },
      { as: 'company_id', from: 18 },
      'statement_id',
      'partner_id',
      'payment_ref',
      'currency_id',
      'amount',
      'foreign_currency_id',
      'amount_currency',
      'is_reconciled',
      ...STAMPS,
    ],
  },
  {
    model: 'purchase.order',
    module: 'purchase',
    fields: [
      'name',
      'partner_ref',
      'origin',
      'state',
      'date_order',
      'date_approve',
      'partner_id',
      'currency_id',
      'amount_total',
      'company_id',
      'user_id',
      'invoice_status',
      { as: 'receipt_status', optional: true },
      { as: 'locked', from: 19 },
      { as: 'acknowledged', from: 19 },
      ...STAMPS,
    ],
  },
  {
    model: 'stock.picking',
    module: 'stock',
    fields: [
      'name',
      'state',
      'origin',
      'partner_id',
      'picking_type_id',
      'picking_type_code',
      { as: 'purchase_id', optional: true },
      'date_done',
      'scheduled_date',
      'backorder_id',
      'return_id',
      'company_id',
      'user_id',
      ...STAMPS,
    ],
  },
  {
    model: 'sale.order',
    module: 'sale',
    fields: [
      'name',
      'state',
      'client_order_ref',
      'origin',
      'date_order',
      'partner_id',
      'currency_id',
      'amount_total',
      'company_id',
      'user_id',
      'invoice_status',
      ...STAMPS,
    ],
  },
  {
    model: 'hr.expense',
    module: 'hr_expense',
    fields: [
      'name',
      'state',
      'date',
      'employee_id',
      'company_id',
      'total_amount',
      'total_amount_currency',
      'currency_id',
      'payment_mode',
      { as: 'sheet_id', to: 18 },
      { as: 'account_move_id', from: 19 },
      { as: 'manager_id', from: 19 },
      { as: 'approval_state', from: 19 },
      { as: 'approval_date', from: 19 },
      ...STAMPS,
    ],
  },
  {
    model: 'hr.expense.sheet',
    module: 'hr_expense',
    to: 18,
    fields: [
      'name',
      'state',
      'approval_state',
      'employee_id',
      'company_id',
      'total_amount',
      'currency_id',
      'user_id',
      'approval_date',
      'account_move_ids',
      'payment_state',
      ...STAMPS,
    ],
  },
  {
    model: 'res.company',
    fields: [
      'name',
      'currency_id',
      'fiscalyear_lock_date',
      'tax_lock_date',
      { as: 'period_lock_date', to: 17 },
      { as: 'sale_lock_date', from: 18 },
      { as: 'purchase_lock_date', from: 18 },
      { as: 'hard_lock_date', from: 18 },
      ...STAMPS,
    ],
  },
  {
    model: 'account.lock_exception',
    from: 18,
    fields: [
      'active',
      'company_id',
      'user_id',
      'reason',
      'end_datetime',
      'lock_date_field',
      'lock_date',
      'company_lock_date',
      ...STAMPS,
    ],
  },
  {
    model: 'res.partner.bank',
    fields: [
      'acc_number',
      'partner_id',
      'active',
      'company_id',
      'bank_id',
      { as: 'allow_out_payment', optional: true },
      ...STAMPS,
    ],
  },
  {
    model: 'ir.cron',
    fields: [
      'cron_name',
      'active',
      'lastcall',
      'nextcall',
      'interval_number',
      'interval_type',
      { as: 'failure_count', from: 18 },
      { as: 'first_failure_date', from: 18 },
      ...STAMPS,
    ],
  },
  {
    model: 'queue.job',
    module: 'queue_job',
    fields: [
      'uuid',
      'name',
      'state',
      'model_name',
      'method_name',
      'channel',
      'retry',
      'max_retries',
      'exc_name',
      'date_created',
      'date_started',
      'date_done',
      'company_id',
      'user_id',
      ...STAMPS,
    ],
  },
  {
    model: 'account.edi.document',
    module: 'account_edi',
    fields: ['move_id', 'edi_format_id', 'state', 'blocking_level', ...STAMPS],
  },
] as const satisfies readonly Model[];

export type OdooModel = (typeof MODELS)[number]['model'];

/** How a field is read in one version. */
export interface ReadField {
  readonly as: string;
  readonly name: string;
  readonly optional: boolean;
}

/** What is read of a model in one version. */
export interface ReadModel {
  readonly model: OdooModel;
  /** The module that brings it; undefined: every Odoo with accounting has it. */
  readonly module: string | undefined;
  readonly fields: readonly ReadField[];
}

const isIn = ({ from = 0, to = 999 }: { from?: number; to?: number }, major: number): boolean =>
  from <= major && major <= to;

/** What is read of an Odoo of this version; one that is not known is read as the nearest that is. */
export function modelsOf(version: { readonly major: number }): ReadModel[] {
  const major = tableVersion(version);
  return (MODELS as readonly (Model & { model: OdooModel })[])
    .filter((model) => isIn(model, major))
    .map(({ model, module, fields }) => ({
      model,
      module,
      fields: fields.flatMap((field) => {
        const one: Field = typeof field === 'string' ? { as: field } : field;
        return isIn(one, major)
          ? [{ as: one.as, name: one.name ?? one.as, optional: one.optional === true }]
          : [];
      }),
    }));
}
