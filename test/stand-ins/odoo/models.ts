/** A field of the stand-in: its type, label by language, choices with their labels, and whether its changes are tracked. */
export interface FieldDef {
  readonly type: string;
  readonly label: string;
  readonly relation?: string;
  readonly selection?: readonly (readonly [value: string, label: string, german?: string])[];
  readonly tracked?: true;
  readonly default?: unknown;
  readonly from?: number;
  readonly to?: number;
}
export interface ModelDef {
  readonly name: string;
  /** What Odoo writes into the chatter of a new record; undefined: it has no chatter. */
  readonly creation?: string;
  readonly fields: Readonly<Record<string, FieldDef>>;
  readonly from?: number;
  readonly to?: number;
}

const char = (label: string, more: Partial<FieldDef> = {}): FieldDef => ({ type: 'char', label, ...more });
const date = (label: string, more: Partial<FieldDef> = {}): FieldDef => ({ type: 'date', label, ...more });
const at = (label: string, more: Partial<FieldDef> = {}): FieldDef => ({ type: 'datetime', label, ...more });
const money = (label: string, more: Partial<FieldDef> = {}): FieldDef => ({
  type: 'monetary',
  label,
  default: 0,
  ...more,
});
const flag = (label: string, more: Partial<FieldDef> = {}): FieldDef => ({ type: 'boolean', label, ...more });
const one = (relation: string, label: string, more: Partial<FieldDef> = {}): FieldDef => ({
  type: 'many2one',
  relation,
  label,
  ...more,
});
const many = (relation: string, label: string, more: Partial<FieldDef> = {}): FieldDef => ({
  type: 'many2many',
  relation,
  label,
  default: [],
  ...more,
});
const choice = (
  label: string,
  selection: NonNullable<FieldDef['selection']>,
  more: Partial<FieldDef> = {},
): FieldDef => ({ type: 'selection', label, selection, default: selection[0]?.[0] ?? false, ...more });

const STATES = [
  ['draft', 'Draft', 'Entwurf'],
  ['posted', 'Posted', 'Gebucht'],
  ['cancel', 'Cancelled', 'Abgebrochen'],
] as const;

/** The models that the stand-in has, of the fields that matter here: as real servers of 17, 18 and 19 have them. */
export const MODELS: Readonly<Record<string, ModelDef>> = {
  'account.move': {
    name: 'Journal Entry',
    creation: 'Vendor Bill Created',
    fields: {
      name: char('Number', { tracked: true }),
      ref: char('Reference', { tracked: true }),
      state: choice('Status', STATES, { tracked: true }),
      posted_before: flag('Posted Before'),
      move_type: choice('Type', [
        ['entry', 'Journal Entry'],
        ['out_invoice', 'Customer Invoice'],
        ['out_refund', 'Customer Credit Note'],
        ['in_invoice', 'Vendor Bill'],
        ['in_refund', 'Vendor Credit Note'],
        ['out_receipt', 'Sales Receipt'],
        ['in_receipt', 'Purchase Receipt'],
      ]),
      payment_state: choice(
        'Payment Status',
        [
          ['not_paid', 'Not Paid', 'Nicht bezahlt'],
          ['in_payment', 'In Payment', 'In Zahlung'],
          ['paid', 'Paid', 'Bezahlt'],
          ['partial', 'Partially Paid', 'Teilweise bezahlt'],
          ['reversed', 'Reversed', 'Storniert'],
        ],
        { tracked: true },
      ),
      date: date('Date', { tracked: true }),
      invoice_date: date('Invoice/Bill Date'),
      invoice_date_due: date('Due Date'),
      journal_id: one('account.journal', 'Journal'),
      company_id: one('res.company', 'Company'),
      partner_id: one('res.partner', 'Partner', { tracked: true }),
      commercial_partner_id: one('res.partner', 'Commercial Entity'),
      partner_bank_id: one('res.partner.bank', 'Recipient Bank', { tracked: true }),
      currency_id: one('res.currency', 'Currency'),
      amount_total: money('Total'),
      amount_untaxed: money('Untaxed Amount', { tracked: true }),
      amount_residual: money('Amount Due'),
      amount_total_signed: money('Total Signed'),
      payment_reference: char('Payment Reference'),
      invoice_origin: char('Origin'),
      reversed_entry_id: one('account.move', 'Reversal of'),
      statement_line_id: one('account.bank.statement.line', 'Statement Line'),
      inalterable_hash: char('Inalterability Hash'),
      auto_post: choice('Auto-post', [['no', 'No']]),
      origin_payment_id: one('account.payment', 'Payment', { from: 18 }),
      payment_id: one('account.payment', 'Payment', { to: 17 }),
      checked: flag('Checked', { from: 18, tracked: true }),
      to_check: flag('To Check', { to: 17, tracked: true }),
    },
  },
  'account.move.line': {
    name: 'Journal Item',
    fields: {
      move_id: one('account.move', 'Journal Entry'),
      company_id: one('res.company', 'Company'),
      parent_state: choice('Status', STATES),
      date: date('Date'),
      account_id: one('account.account', 'Account', { tracked: true }),
      balance: money('Balance', { tracked: true }),
      display_type: choice('Display Type', [['product', 'Product']]),
      product_id: one('product.product', 'Product'),
      purchase_line_id: one('purchase.order.line', 'Purchase Order Line'),
      quantity: { type: 'float', label: 'Quantity', default: 0 },
      price_unit: { type: 'float', label: 'Unit Price', default: 0 },
      price_subtotal: money('Subtotal'),
      tax_ids: many('account.tax', 'Taxes'),
    },
  },
  'account.payment': {
    name: 'Payments',
    creation: 'Payment Created',
    fields: {
      name: char('Number'),
      date: date('Date'),
      state: choice('State', [
        ['draft', 'Draft'],
        ['in_process', 'In Process'],
        ['paid', 'Paid'],
        ['canceled', 'Canceled'],
        ['rejected', 'Rejected'],
        ['posted', 'Posted'],
        ['cancel', 'Cancelled'],
      ]),
      amount: money('Amount'),
      currency_id: one('res.currency', 'Currency'),
      payment_type: choice('Payment Type', [
        ['outbound', 'Send'],
        ['inbound', 'Receive'],
      ]),
      partner_type: choice('Partner Type', [
        ['supplier', 'Vendor'],
        ['customer', 'Customer'],
      ]),
      partner_id: one('res.partner', 'Partner'),
      partner_bank_id: one('res.partner.bank', 'Recipient Bank Account'),
      journal_id: one('account.journal', 'Journal'),
      company_id: one('res.company', 'Company'),
      payment_reference: char('Payment Reference'),
      is_matched: flag('Is Matched With a Bank Statement'),
      is_reconciled: flag('Is Reconciled'),
      move_id: one('account.move', 'Journal Entry'),
      amount_company_currency_signed: money('Amount Company Currency Signed'),
      memo: char('Memo', { from: 18 }),
      ref: char('Reference', { to: 17 }),
      is_sent: flag('Is Sent', { from: 18 }),
      is_move_sent: flag('Is Sent', { to: 17 }),
      invoice_ids: many('account.move', 'Invoices', { from: 18 }),
    },
  },
  'account.bank.statement.line': {
    name: 'Bank Statement Line',
    fields: {
      move_id: one('account.move', 'Journal Entry'),
      journal_id: one('account.journal', 'Journal', { from: 18 }),
      company_id: one('res.company', 'Company', { from: 18 }),
      statement_id: one('account.bank.statement', 'Statement'),
      partner_id: one('res.partner', 'Partner'),
      account_number: char('Bank Account Number'),
      payment_ref: char('Label'),
      currency_id: one('res.currency', 'Journal Currency'),
      amount: money('Amount'),
      foreign_currency_id: one('res.currency', 'Foreign Currency'),
      amount_currency: money('Amount in Currency'),
      is_reconciled: flag('Is Reconciled'),
    },
  },
  'account.lock_exception': {
    name: 'Account Lock Exception',
    from: 18,
    fields: {
      active: flag('Active', { default: true }),
      company_id: one('res.company', 'Company'),
      user_id: one('res.users', 'User'),
      reason: char('Reason'),
      end_datetime: at('End Date'),
      lock_date_field: choice('Lock Date Field', [['fiscalyear_lock_date', 'Global Lock Date']]),
      lock_date: date('Changed Lock Date'),
      company_lock_date: date('Original Lock Date'),
    },
  },
  'stock.picking': {
    name: 'Transfer',
    creation: 'Transfer created',
    fields: {
      name: char('Reference'),
      state: choice(
        'Status',
        [
          ['draft', 'Draft'],
          ['confirmed', 'Waiting'],
          ['assigned', 'Ready', 'Bereit'],
          ['done', 'Done', 'Erledigt'],
          ['cancel', 'Cancelled'],
        ],
        { tracked: true },
      ),
      origin: char('Source Document'),
      partner_id: one('res.partner', 'Contact'),
      picking_type_id: one('stock.picking.type', 'Operation Type'),
      picking_type_code: choice('Type of Operation', [
        ['incoming', 'Receipt'],
        ['outgoing', 'Delivery'],
        ['internal', 'Internal Transfer'],
      ]),
      purchase_id: one('purchase.order', 'Purchase Order'),
      date_done: at('Date of Transfer'),
      scheduled_date: at('Scheduled Date'),
      backorder_id: one('stock.picking', 'Back Order of'),
      return_id: one('stock.picking', 'Return of'),
      company_id: one('res.company', 'Company'),
      user_id: one('res.users', 'Responsible'),
    },
  },
  'hr.expense.sheet': {
    name: 'Expense Report',
    creation: 'Expense Report created',
    to: 18,
    fields: {
      name: char('Expense Report Summary'),
      state: choice(
        'Status',
        [
          ['draft', 'To Submit'],
          ['submit', 'Submitted'],
          ['approve', 'Approved'],
          ['post', 'Posted'],
          ['done', 'Done'],
          ['cancel', 'Refused'],
        ],
        { tracked: true },
      ),
      approval_state: choice('Approval State', [
        ['submit', 'Submitted'],
        ['approve', 'Approved'],
        ['cancel', 'Refused'],
      ]),
      employee_id: one('hr.employee', 'Employee'),
      company_id: one('res.company', 'Company'),
      total_amount: money('Total'),
      currency_id: one('res.currency', 'Currency'),
      user_id: one('res.users', 'Manager', { tracked: true }),
      approval_date: at('Approval Date'),
      account_move_ids: many('account.move', 'Journal Entries'),
      payment_state: choice('Payment Status', [['not_paid', 'Not Paid']]),
    },
  },
  'account.partial.reconcile': {
    name: 'Partial Reconcile',
    fields: {
      debit_move_id: one('account.move.line', 'Debit Move'),
      credit_move_id: one('account.move.line', 'Credit Move'),
      amount: money('Amount'),
      debit_amount_currency: money('Debit Amount Currency'),
      credit_amount_currency: money('Credit Amount Currency'),
      debit_currency_id: one('res.currency', 'Currency of the debit'),
      credit_currency_id: one('res.currency', 'Currency of the credit'),
      full_reconcile_id: one('account.full.reconcile', 'Full Reconcile'),
      max_date: date('Max Date of Matched Lines'),
      company_id: one('res.company', 'Company'),
    },
  },
  'purchase.order': {
    name: 'Purchase Order',
    creation: 'Purchase Order created',
    fields: {
      name: char('Order Reference'),
      partner_ref: char('Vendor Reference'),
      origin: char('Source Document'),
      state: choice(
        'Status',
        [
          ['draft', 'RFQ', 'Angebotsanfrage'],
          ['sent', 'RFQ Sent'],
          ['to approve', 'To Approve', 'Zu genehmigen'],
          ['purchase', 'Purchase Order', 'Bestellung'],
          ['done', 'Locked'],
          ['cancel', 'Cancelled'],
        ],
        { tracked: true },
      ),
      date_order: at('Order Deadline'),
      date_approve: at('Confirmation Date'),
      partner_id: one('res.partner', 'Vendor'),
      currency_id: one('res.currency', 'Currency'),
      amount_total: money('Total'),
      company_id: one('res.company', 'Company'),
      user_id: one('res.users', 'Buyer'),
      invoice_status: choice('Billing Status', [['no', 'Nothing to Bill']]),
      locked: flag('Locked', { from: 19 }),
      acknowledged: flag('Acknowledged', { from: 19 }),
    },
  },
  'purchase.order.line': {
    name: 'Purchase Order Line',
    fields: {
      order_id: one('purchase.order', 'Order'),
      display_type: char('Display Type'),
      product_id: one('product.product', 'Product'),
      product_qty: { type: 'float', label: 'Quantity', default: 0 },
      price_unit: { type: 'float', label: 'Unit Price', default: 0 },
      price_subtotal: money('Subtotal'),
      taxes_id: many('account.tax', 'Taxes', { to: 18 }),
      tax_ids: many('account.tax', 'Taxes', { from: 19 }),
    },
  },
  'stock.move': {
    name: 'Stock Move',
    fields: {
      picking_id: one('stock.picking', 'Transfer'),
      product_id: one('product.product', 'Product'),
      purchase_line_id: one('purchase.order.line', 'Purchase Order Line'),
      quantity: { type: 'float', label: 'Quantity', default: 0 },
      product_uom_qty: { type: 'float', label: 'Demand', default: 0 },
      state: choice('Status', [
        ['draft', 'New'],
        ['done', 'Done'],
        ['cancel', 'Cancelled'],
      ]),
    },
  },
  'res.company': {
    name: 'Companies',
    creation: 'Company created',
    fields: {
      name: char('Company Name'),
      currency_id: one('res.currency', 'Currency'),
      fiscalyear_lock_date: date('Global Lock Date', { tracked: true }),
      tax_lock_date: date('Tax Return Lock Date', { tracked: true }),
      period_lock_date: date('Journals Entries Lock Date', { to: 17, tracked: true }),
      sale_lock_date: date('Sales Lock Date', { from: 18, tracked: true }),
      purchase_lock_date: date('Purchase Lock date', { from: 18, tracked: true }),
      hard_lock_date: date('Hard Lock Date', { from: 18, tracked: true }),
    },
  },
  'res.currency': {
    name: 'Currency',
    fields: {
      name: char('Currency'),
      decimal_places: { type: 'integer', label: 'Decimal Places', default: 2 },
    },
  },
  'res.partner': {
    name: 'Contact',
    fields: {
      name: char('Name'),
      commercial_partner_id: one('res.partner', 'Commercial Entity'),
      company_id: one('res.company', 'Company'),
    },
  },
  'res.partner.bank': {
    name: 'Bank Accounts',
    creation: 'Bank Accounts created',
    fields: {
      acc_number: char('Account Number', { tracked: true }),
      partner_id: one('res.partner', 'Account Holder', { tracked: true }),
      active: flag('Active', { default: true }),
      company_id: one('res.company', 'Company'),
      bank_id: one('res.bank', 'Bank', { tracked: true }),
      allow_out_payment: flag('Send Money', { tracked: true }),
    },
  },
  'res.users': {
    name: 'User',
    fields: {
      name: char('Name'),
      login: char('Login'),
      active: flag('Active', { default: true }),
      share: flag('Share User'),
      partner_id: one('res.partner', 'Related Partner'),
      company_id: one('res.company', 'Company'),
      company_ids: many('res.company', 'Companies'),
      groups_id: many('res.groups', 'Groups', { to: 18 }),
      group_ids: many('res.groups', 'Groups', { from: 19 }),
      password: char('Password'),
    },
  },
  'ir.model.fields': {
    name: 'Fields',
    fields: {
      model: char('Model Name'),
      name: char('Field Name'),
      ttype: char('Field Type'),
      field_description: char('Field Label'),
      tracking: { type: 'integer', label: 'Enable Ordered Tracking', default: 0 },
    },
  },
  'mail.message': {
    name: 'Message',
    fields: {
      date: at('Date'),
      message_type: choice('Type', [['notification', 'System notification']]),
      subtype_id: one('mail.message.subtype', 'Subtype'),
      author_id: one('res.partner', 'Author'),
      body: char('Contents'),
      account_audit_log_preview: char('Audit Log Preview', { from: 18 }),
      model: char('Related Document Model'),
      res_id: { type: 'many2one_reference', label: 'Related Document ID' },
    },
  },
  'mail.tracking.value': {
    name: 'Mail Tracking Value',
    fields: {
      mail_message_id: one('mail.message', 'Message ID'),
      field_id: one('ir.model.fields', 'Field'),
      old_value_integer: { type: 'integer', label: 'Old Value Integer', default: 0 },
      old_value_float: { type: 'float', label: 'Old Value Float', default: 0 },
      old_value_char: char('Old Value Char'),
      old_value_text: char('Old Value Text'),
      old_value_datetime: at('Old Value DateTime'),
      new_value_integer: { type: 'integer', label: 'New Value Integer', default: 0 },
      new_value_float: { type: 'float', label: 'New Value Float', default: 0 },
      new_value_char: char('New Value Char'),
      new_value_text: char('New Value Text'),
      new_value_datetime: at('New Value Datetime'),
    },
  },
};

/** What `connect` makes things of, and what actions touch. */
const TECHNICAL: Readonly<Record<string, ModelDef>> = {
  'ir.model': { name: 'Models', fields: { model: char('Model'), name: char('Model Description') } },
  'res.groups': { name: 'Access Groups', fields: { name: char('Name'), comment: char('Description') } },
  'ir.model.access': {
    name: 'Model Access',
    fields: {
      name: char('Name'),
      model_id: one('ir.model', 'Model'),
      group_id: one('res.groups', 'Group'),
      perm_read: flag('Read Access'),
      perm_write: flag('Write Access'),
      perm_create: flag('Create Access'),
      perm_unlink: flag('Delete Access'),
    },
  },
  'ir.rule': {
    name: 'Record Rule',
    fields: {
      name: char('Name'),
      model_id: one('ir.model', 'Model'),
      groups: many('res.groups', 'Groups'),
      domain_force: char('Domain'),
      perm_read: flag('Read', { default: true }),
      perm_write: flag('Write', { default: true }),
      perm_create: flag('Create', { default: true }),
      perm_unlink: flag('Delete', { default: true }),
    },
  },
  'ir.model.data': {
    name: 'Model Data',
    fields: {
      module: char('Module'),
      name: char('External Identifier'),
      model: char('Model Name'),
      res_id: { type: 'integer', label: 'Record ID', default: 0 },
    },
  },
  'base.automation': {
    name: 'Automation Rule',
    fields: {
      name: char('Automation Rule Name'),
      active: flag('Active', { default: true }),
      model_id: one('ir.model', 'Model'),
      trigger: choice('Trigger', [
        ['on_create_or_write', 'On save'],
        ['on_unlink', 'On deletion'],
      ]),
      trigger_field_ids: many('ir.model.fields', 'Trigger Fields'),
      filter_pre_domain: char('Before Update Domain'),
      filter_domain: char('Apply on'),
    },
  },
  'ir.actions.server': {
    name: 'Server Action',
    fields: {
      name: char('Name'),
      model_id: one('ir.model', 'Model'),
      state: choice('Type', [['webhook', 'Send Webhook Notification']]),
      usage: char('Usage'),
      base_automation_id: one('base.automation', 'Automation Rule'),
      webhook_url: char('Webhook URL'),
      webhook_field_ids: many('ir.model.fields', 'Webhook Fields'),
    },
  },
  'res.users.apikeys': {
    name: 'Users API Keys',
    fields: {
      name: char('Description'),
      user_id: one('res.users', 'User'),
      expiration_date: at('Expiration Date', { from: 18 }),
    },
  },
  'ir.cron': {
    name: 'Scheduled Actions',
    fields: {
      cron_name: char('Name'),
      active: flag('Active', { default: true }),
      lastcall: at('Last Execution Date'),
      nextcall: at('Next Execution Date'),
      interval_number: { type: 'integer', label: 'Interval Number', default: 1 },
      interval_type: choice('Interval Unit', [
        ['days', 'Days'],
        ['hours', 'Hours'],
        ['minutes', 'Minutes'],
      ]),
      failure_count: { type: 'integer', label: 'Failure Count', default: 0, from: 18 },
      first_failure_date: at('First Failure Date', { from: 18 }),
    },
  },
  'mail.activity.type': { name: 'Activity Type', fields: { name: char('Name') } },
  'mail.activity': {
    name: 'Activity',
    fields: {
      res_model: char('Related Document Model'),
      res_model_id: one('ir.model', 'Document Model'),
      res_id: { type: 'many2one_reference', label: 'Related Document ID' },
      activity_type_id: one('mail.activity.type', 'Activity Type'),
      summary: char('Summary'),
      note: char('Note'),
      date_deadline: date('Due Date'),
      user_id: one('res.users', 'Assigned to'),
    },
  },
  'queue.job': {
    name: 'Queue Job',
    fields: {
      uuid: char('UUID'),
      name: char('Description'),
      state: choice('State', [
        ['pending', 'Pending'],
        ['enqueued', 'Enqueued'],
        ['started', 'Started'],
        ['done', 'Done'],
        ['cancelled', 'Cancelled'],
        ['failed', 'Failed'],
      ]),
      model_name: char('Model'),
      method_name: char('Method'),
      channel: char('Channel'),
      retry: { type: 'integer', label: 'Current try', default: 0 },
      max_retries: { type: 'integer', label: 'Max. retries', default: 5 },
      exc_name: char('Exception'),
      date_created: at('Created Date'),
      date_started: at('Start Date'),
      date_done: at('Date Done'),
      company_id: one('res.company', 'Company'),
      user_id: one('res.users', 'User ID'),
    },
  },
};

const STAMPS: Readonly<Record<string, FieldDef>> = {
  id: { type: 'integer', label: 'ID' },
  create_uid: one('res.users', 'Created by'),
  create_date: at('Created on'),
  write_uid: one('res.users', 'Last Updated by'),
  write_date: at('Last Updated on'),
};

const isIn = ({ from = 0, to = 999 }: { from?: number; to?: number }, major: number): boolean =>
  from <= major && major <= to;

/** The models of a version with their fields; those of modules that are not installed left out. */
export function modelsOfStandIn(
  major: number,
  without: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, ModelDef> {
  return new Map(
    Object.entries({ ...MODELS, ...TECHNICAL })
      .filter(([name]) => !without.has(name))
      .filter(([, model]) => isIn(model, major))
      .map(([name, model]) => [
        name,
        {
          ...model,
          fields: {
            ...Object.fromEntries(Object.entries(model.fields).filter(([, field]) => isIn(field, major))),
            ...STAMPS,
          },
        },
      ]),
  );
}
