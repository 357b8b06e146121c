import type { Temporal } from 'temporal-polyfill';
import type { Company } from '../model/company.ts';
import type { Key } from '../model/key.ts';
import { afterOfficeTime, inOfficeHours, localDate, localMonth } from './calendar.ts';
import { amountOf, extid, MINUTE, person, service } from './documents.ts';
import type { Landscape } from './landscape.ts';

/** Chains of the landscape beyond bills, invoices and payments: each writes down one of them whole. `without` leaves steps out. */

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const money = (value: number): string => value.toFixed(2);

/** Times two decimal texts of a few digits, to cents. */
const share = (amount: string, of: number): string => money(Number(amount) * of);

export interface Purchase {
  readonly po: string;
  readonly poline: string;
  readonly party: string;
  readonly quantity: number;
  readonly price: number;
  readonly keys: readonly Key[];
}

export function newPurchase(land: Landscape, company: Company): Purchase {
  const po = `PO${String(land.next(`xpo:${company.key}`)).padStart(6, '0')}`;
  return {
    po,
    poline: `${po}#1`,
    party: `S${1000 + land.random.int(0, 39)}`,
    quantity: land.random.int(2, 40),
    price: land.random.int(500, 90_000) / 100,
    keys: [{ type: 'po', value: po }],
  };
}

const linesOf = ({ poline, price }: Purchase, quantity: number, at = price) => [
  { poline, qty: String(quantity), price: String(at), amount: money(quantity * at) },
];

/** Procurement approves an order, and Odoo confirms it. */
export function approvePurchase(
  land: Landscape,
  company: Company,
  purchase: Purchase,
  at: number,
  confirmed = true,
): string {
  const { keys, party, quantity, price } = purchase;
  const amount = money(quantity * price);
  const subject = `order/${purchase.po}`;
  const actor = person(land, 'approver');
  land.fact(company, {
    system: 'procurement',
    type: 'purchaseorder.approved',
    subject,
    at,
    keys,
    party,
    amount,
    actor,
  });
  if (confirmed)
    land.fact(company, {
      system: 'odoo',
      type: 'purchaseorder.confirmed',
      subject: `purchase.order/${purchase.po}`,
      at: at + land.random.int(1, 10) * MINUTE,
      keys,
      party,
      amount,
      model: 'purchase.order',
      docNumber: purchase.po,
      actor: service('middleware'),
      data: { lines: linesOf(purchase, quantity) },
    });
  return subject;
}

/** The warehouse records a receipt, and Odoo does. */
export function receivePurchase(
  land: Landscape,
  company: Company,
  purchase: Purchase,
  at: number,
  { inOdoo = true, odooQuantity = purchase.quantity }: { inOdoo?: boolean; odooQuantity?: number } = {},
): { warehouse: string; odoo: string } {
  const keys = [...purchase.keys, { type: 'poline', value: purchase.poline }];
  const [warehouse, odoo] = [
    `receipt/WH-${company.key}-${land.next('receipt')}`,
    `stock.picking/${land.next('picking')}`,
  ];
  const facts = { keys, party: purchase.party, type: 'goodsreceipt.recorded' } as const;
  land.fact(company, {
    ...facts,
    system: 'warehouse',
    subject: warehouse,
    at,
    attributes: { quantity: String(purchase.quantity) },
    actor: service('warehouse'),
  });
  if (inOdoo)
    land.fact(company, {
      ...facts,
      system: 'odoo',
      subject: odoo,
      at: at + land.random.int(2, 40) * MINUTE,
      model: 'stock.picking',
      attributes: { quantity: String(odooQuantity) },
      actor: service('middleware'),
      data: { lines: linesOf(purchase, odooQuantity) },
    });
  return { warehouse, odoo };
}

/** Odoo posts the bill of a purchase. */
export function billPurchase(
  land: Landscape,
  company: Company,
  purchase: Purchase,
  at: number,
  { quantity = purchase.quantity, price = purchase.price, actor = person(land, 'accountant') } = {},
): string {
  const subject = `account.move/${land.next('move')}`;
  const amount = money(quantity * price);
  const supref = `${purchase.party}:RE-${700_000 + land.next(`pobill:${company.key}`)}`;
  const keys = [
    ...purchase.keys,
    { type: 'poline', value: purchase.poline },
    { type: 'supref', value: supref },
    extid(subject),
  ];
  land.fact(company, {
    system: 'odoo',
    type: 'bill.posted',
    subject,
    at,
    keys,
    party: purchase.party,
    amount,
    model: 'account.move',
    actor,
    data: { lines: linesOf(purchase, quantity, price) },
  });
  return subject;
}

/** An order from procurement: approved, confirmed, received, billed within some days and the same month. */
export function purchaseWay(land: Landscape, company: Company, at: number): void {
  const purchase = newPurchase(land, company);
  approvePurchase(land, company, purchase, at);
  const received = afterOfficeTime(company, at, land.random.int(120, 900));
  receivePurchase(land, company, purchase, received);
  billPurchase(land, company, purchase, afterOfficeTime(company, received, land.random.int(60, 400)));
}

export interface Capture {
  readonly psp: string;
  readonly amount: string;
  readonly keys: readonly Key[];
}

export function capturePayment(land: Landscape, company: Company, at: number): Capture {
  const psp = `ch_${land.random.hex(16)}`;
  const capture = { psp, amount: amountOf(land, company, 900), keys: [{ type: 'psp', value: psp }] };
  land.fact(company, {
    ...capture,
    system: 'psp',
    type: 'payment.captured',
    subject: `charge/${psp}`,
    at,
    actor: service('psp'),
  });
  return capture;
}

/** The provider settles captures; the ledger books gross, fee and net; the payout follows, and the bank has it. */
export function settle(
  land: Landscape,
  company: Company,
  captures: readonly Capture[],
  at: number,
  { fee = 0.014, booked = true, paid = true }: { fee?: number; booked?: boolean; paid?: boolean } = {},
): { settlement: string; payout: string } {
  const id = `st_${land.random.hex(12)}`;
  const [settlement, payout] = [`settlement/${id}`, `payout/${id}`];
  const gross = money(captures.reduce((sum, { amount }) => sum + Number(amount), 0));
  const keys = [
    ...captures.flatMap((capture) => capture.keys).slice(0, 60),
    { type: 'settlement', value: id },
  ];
  const bent = fee * (1 + (land.random.int(0, 100) - 50) / 4000);
  land.fact(company, {
    system: 'psp',
    type: 'settlement.received',
    subject: settlement,
    at,
    keys,
    amount: gross,
    attributes: { fee: share(gross, bent) },
    actor: service('psp'),
  });
  if (booked) postEntry(land, company, at + 2 * HOUR, keys, gross);
  const net = share(gross, 1 - bent);
  const payoutKeys = [{ type: 'payout', value: id }];
  land.fact(company, {
    system: 'psp',
    type: 'payout.paid',
    subject: payout,
    at: at + HOUR,
    keys: payoutKeys,
    amount: net,
    actor: service('psp'),
  });
  if (paid) bankLine(land, company, at + 20 * HOUR, payoutKeys, net);
  return { settlement, payout };
}

/** A line of the bank's statement, reconciled some hours later. */
export function bankLine(
  land: Landscape,
  company: Company,
  at: number,
  keys: readonly Key[],
  amount: string,
  journal = 'BNK1',
): string {
  const subject = `line/${company.key}-${land.next('line')}`;
  land.fact(company, {
    system: 'bank',
    type: 'statementline.imported',
    subject,
    at,
    keys: keys.length > 0 ? keys : [{ type: 'extid', value: subject }],
    amount,
    journal: `${company.key}-${journal}`,
    actor: service('bank'),
  });
  return subject;
}

/** A journal entry, numbered without a gap. */
export function postEntry(
  land: Landscape,
  company: Company,
  at: number,
  keys: readonly Key[],
  amount: string,
  {
    skip = 0,
    attributes = {},
    number = true,
  }: { skip?: number; attributes?: Record<string, string>; number?: boolean } = {},
): string {
  const subject = `account.move/${land.next('move')}`;
  const year = localDate(company, at).slice(0, 4);
  for (let i = 0; i < skip; i += 1) land.next(`misc:${company.key}:${year}`);
  const docNumber = number
    ? `MISC/${year}/${String(land.next(`misc:${company.key}:${year}`)).padStart(5, '0')}`
    : undefined;
  land.fact(company, {
    system: 'odoo',
    type: 'journalentry.posted',
    subject,
    at,
    keys: [...keys, extid(subject)],
    amount,
    ...(docNumber ? { docNumber } : {}),
    model: 'account.move',
    journal: `${company.key}-MISC`,
    attributes: { hash: land.random.hex(16), ...attributes },
    actor: service('middleware'),
  });
  return subject;
}

/** An expense: submitted, approved, posted. */
export function expenseWay(
  land: Landscape,
  company: Company,
  at: number,
  until: 'submitted' | 'approved' | 'posted' = 'posted',
): string {
  const subject = `hr.expense/${land.next('expense')}`;
  const expense = {
    system: 'odoo' as const,
    subject,
    keys: [extid(subject)],
    amount: amountOf(land, company, 1500),
    model: 'hr.expense',
  };
  land.fact(company, { ...expense, type: 'expense.submitted', at, actor: person(land, 'buyer') });
  if (until === 'submitted') return subject;
  const approved = afterOfficeTime(company, at, land.random.int(30, 900));
  land.fact(company, { ...expense, type: 'expense.approved', at: approved, actor: person(land, 'approver') });
  if (until === 'approved') return subject;
  const posted = afterOfficeTime(company, approved, land.random.int(20, 500));
  land.fact(company, { ...expense, type: 'expense.posted', at: posted, actor: person(land, 'accountant') });
  return subject;
}

/** A call of the tax engine. */
export function taxCall(land: Landscape, company: Company, at: number, answered = true): string {
  const subject = `taxcall/${company.key}-${land.next('tax')}`;
  const facts = {
    system: 'tax' as const,
    subject,
    keys: [{ type: 'extid', value: subject }],
    actor: service('tax-engine'),
  };
  land.fact(company, { ...facts, type: 'taxresult.requested', at });
  if (answered)
    land.fact(company, { ...facts, type: 'taxresult.determined', at: at + land.random.int(50, 900) });
  return subject;
}

/** A message of the middleware, delivered. */
export function message(
  land: Landscape,
  company: Company,
  at: number,
  ends: 'received' | 'deadlettered' | 'nothing' = 'received',
  channel = 'bills',
): string {
  const id = `msg-${company.key}-${land.next('message')}`;
  const subject = `message/${id}`;
  const facts = {
    system: 'middleware' as const,
    subject,
    keys: [{ type: 'message', value: id }],
    attributes: { channel },
    actor: service('middleware'),
  };
  land.fact(company, { ...facts, type: 'message.sent', at });
  if (ends === 'received')
    land.fact(company, { ...facts, type: 'message.received', at: at + land.random.int(1, 90) * 1000 });
  if (ends === 'deadlettered')
    land.fact(company, { ...facts, type: 'message.deadlettered', at: at + 5 * MINUTE });
  return subject;
}

export function retryMessage(
  land: Landscape,
  company: Company,
  subject: string,
  at: number,
  type: 'retried' | 'replayed' | 'received',
  channel = 'bills',
): void {
  const keys = [{ type: 'message', value: subject.slice('message/'.length) }];
  land.fact(company, {
    system: 'middleware',
    type: `message.${type}`,
    subject,
    at,
    keys,
    attributes: { channel },
    actor: service('middleware'),
  });
}

/** An order of the shop: paid, invoiced with its own number, accepted, reported. */
export function shopWay(
  land: Landscape,
  company: Company,
  at: number,
  steps: { invoiced?: boolean; accepted?: boolean; reported?: boolean } = {},
): { order: string; invoice: string; docNumber: string } {
  const { invoiced = true, accepted = true, reported = true } = steps;
  const so = `SO${String(land.next(`so:${company.key}`)).padStart(6, '0')}`;
  const amount = amountOf(land, company, 2500);
  const party = `C${2000 + land.random.int(0, 79)}`;
  const keys = [{ type: 'so', value: so }];
  const order = `order/${so}`;
  land.fact(company, {
    system: 'shop',
    type: 'order.paid',
    subject: order,
    at,
    keys,
    amount,
    party,
    actor: service('shop'),
  });
  const invoice = `account.move/${land.next('move')}`;
  const posted = at + land.random.int(10, 200) * MINUTE;
  const docNumber = `SHOP/${localDate(company, posted).slice(0, 4)}/${String(land.next(`shopinv:${company.key}`)).padStart(6, '0')}`;
  if (!invoiced) return { order, invoice, docNumber };
  const document = {
    amount,
    party,
    docNumber,
    period: localMonth(company, posted),
    keys: [...keys, { type: 'docno', value: docNumber }],
  };
  land.fact(company, {
    ...document,
    system: 'odoo',
    type: 'invoice.posted',
    subject: invoice,
    at: posted,
    model: 'account.move',
    actor: service('middleware'),
  });
  const einvoice = { ...document, system: 'odoo' as const, subject: invoice, actor: service('middleware') };
  land.fact(company, { ...einvoice, type: 'einvoice.sent', at: posted + MINUTE });
  if (accepted)
    land.fact(company, {
      ...einvoice,
      type: 'einvoice.accepted',
      at: posted + land.random.int(10, 600) * MINUTE,
    });
  if (reported) report(land, company, document, posted + land.random.int(20, 90) * MINUTE);
  return { order, invoice, docNumber };
}

/** The reporting platform has an invoice. */
export function report(
  land: Landscape,
  company: Company,
  document: { docNumber: string; amount: string; period: string },
  at: number,
): void {
  land.fact(company, {
    system: 'reporting',
    type: 'invoice.reported',
    subject: `fact/${document.docNumber}`,
    at,
    keys: [{ type: 'docno', value: document.docNumber }],
    docNumber: document.docNumber,
    amount: document.amount,
    period: document.period,
    actor: service('reporting'),
  });
}

/** A nightly batch: three entries, and control totals that say so. */
export function batchWay(
  land: Landscape,
  company: Company,
  at: number,
  { lost = 0, ends = true }: { lost?: number; ends?: boolean } = {},
): { name: string; subject: string } {
  const name = `JOB-${company.key}-${localDate(company, at)}-${land.next('batch')}`;
  const subject = `batch/${name}`;
  const keys = [{ type: 'batch', value: name }];
  land.fact(company, {
    system: 'middleware',
    type: 'batch.started',
    subject,
    at,
    keys,
    actor: service('middleware'),
  });
  if (!ends) return { name, subject };
  const amounts = [1, 2, 3].map(() => amountOf(land, company, 4000));
  amounts.slice(lost).forEach((amount, index) => {
    postEntry(land, company, at + (index + 1) * MINUTE, keys, amount);
  });
  const sum = money(amounts.reduce((total, amount) => total + Number(amount), 0));
  land.fact(company, {
    system: 'middleware',
    type: 'batch.completed',
    subject,
    at: at + 10 * MINUTE,
    keys,
    data: { control: { controlTotals: { count: String(amounts.length), sum } } },
    actor: service('middleware'),
  });
  return { name, subject };
}

/** An invoice of one company to another, and its mirror there. */
export function intercompanyWay(
  land: Landscape,
  from: Company,
  to: Company,
  at: number,
  { mirrored = true, bend = 0 }: { mirrored?: boolean; bend?: number } = {},
): string {
  const id = `IC-${land.next('interco')}`;
  const subject = `account.move/${land.next('move')}`;
  const amount = amountOf(land, from, 9000);
  const docNumber = `IC/${from.key}/${id}`;
  const document = {
    keys: [
      { type: 'interco', value: id },
      { type: 'docno', value: docNumber },
    ],
    currency: 'EUR',
    actor: service('odoo'),
    model: 'account.move',
  };
  const period = localMonth(from, at);
  land.fact(from, {
    ...document,
    system: 'odoo',
    type: 'invoice.posted',
    subject,
    at,
    amount,
    docNumber,
    period,
    party: `IC-${to.key}`,
  });
  report(land, from, { docNumber, amount, period }, at + 30 * MINUTE);
  if (mirrored)
    land.fact(to, {
      ...document,
      keys: [{ type: 'interco', value: id }],
      system: 'odoo',
      type: 'bill.posted',
      subject: `account.move/${land.next('move')}`,
      at: at + land.random.int(10, 300) * MINUTE,
      amount: bend === 0 ? amount : money(Number(amount) + bend),
      party: `IC-${from.key}`,
    });
  return subject;
}

/** What happens at one company on a working day, beyond its bills, invoices, payments and approvals. */
export function usualChains(
  land: Landscape,
  company: Company,
  companies: readonly Company[],
  day: Temporal.PlainDate,
): void {
  const at = (from = 0, to = 900): number =>
    inOfficeHours(company, day, land.random.int(from, to) / 1000) + land.random.int(0, 59_999);
  const some = (count: number, way: (at: number) => void, to = 900): void => {
    for (let i = 0; i < count; i += 1) way(at(0, to));
  };
  some(2, (when) => purchaseWay(land, company, when), 500);
  some(3, (when) => shopWay(land, company, when), 500);
  some(1, (when) => expenseWay(land, company, when));
  some(4, (when) => taxCall(land, company, when));
  some(6, (when) => message(land, company, when));
  const captures = Array.from({ length: 4 }, () => capturePayment(land, company, at(0, 300)));
  settle(land, company, captures, inOfficeHours(company, day, 0.9));
  bankLine(land, company, at(0, 100), [], amountOf(land, company, 3000));
  batchWay(land, company, inOfficeHours(company, day, 0.95));
  const others = companies.filter((one) => one !== company);
  if (others.length > 0 && land.random.chance(0.3))
    intercompanyWay(land, company, land.random.pick(others), at(0, 300));
  some(1, (when) => refundWay(land, company, when), 500);
  if (day.dayOfWeek === 1) knownCall(land, company, at());
  if (day.dayOfWeek === 2) onboardWay(land, company, at(0, 300));
  if (day.dayOfWeek === 3) rotate(land, company, at(), 'middleware');
  if (day.day <= 7 && day.dayOfWeek === 2) payrollWay(land, company, at(0, 200));
}

/** A payroll run: approved, and in the ledger the same day. */
export function payrollWay(land: Landscape, company: Company, at: number, posted = true): string {
  const id = `PAY-${company.key}-${localMonth(company, at)}-${land.next('payroll')}`;
  const subject = `payrollrun/${id}`;
  const keys = [{ type: 'extid', value: id }];
  const amount = money(60_000 + land.random.int(0, 900_000) / 100);
  land.fact(company, {
    system: 'payroll',
    type: 'payrollrun.approved',
    subject,
    at,
    keys,
    amount,
    actor: person(land, 'approver'),
  });
  if (posted)
    land.fact(company, {
      system: 'payroll',
      type: 'payrollrun.posted',
      subject,
      at: at + 3 * HOUR,
      keys,
      amount,
      actor: service('payroll'),
    });
  return subject;
}

/** A refund and its credit note. */
function refundWay(land: Landscape, company: Company, at: number): void {
  const docno = { type: 'docno', value: `RF/${company.key}/${land.next('refund')}` };
  const amount = amountOf(land, company, 200);
  const facts = { keys: [docno], amount, actor: service('psp') };
  land.fact(company, {
    ...facts,
    system: 'psp',
    type: 'refund.settled',
    subject: `refund/${docno.value}`,
    at,
  });
  const subject = `account.move/${land.next('move')}`;
  land.fact(company, {
    ...facts,
    system: 'odoo',
    type: 'creditnote.posted',
    subject,
    at: at + 3 * HOUR,
    model: 'account.move',
  });
}

/** A new supplier: created, its bank account verified, activated; and a schema that changed and was accepted. */
function onboardWay(land: Landscape, company: Company, at: number): void {
  const id = land.next('partner');
  const [subject, party] = [`res.partner/N${id}`, `S9${id}`];
  const facts = { system: 'odoo' as const, party, keys: [extid(subject)] };
  land.fact(company, { ...facts, type: 'supplier.created', subject, at, actor: person(land, 'buyer') });
  land.fact(company, {
    ...facts,
    type: 'supplier.bankaccountadded',
    subject: `res.partner.bank/N${id}`,
    at: at + HOUR,
    actor: person(land, 'buyer'),
  });
  land.fact(company, {
    ...facts,
    type: 'supplier.bankverified',
    subject: `res.partner.bank/N${id}`,
    at: at + 2 * HOUR,
    actor: person(land, 'approver'),
  });
  land.fact(company, {
    ...facts,
    type: 'supplier.activated',
    subject,
    at: at + 3 * HOUR,
    actor: person(land, 'approver'),
  });
  const schema = {
    system: 'odoo' as const,
    keys: [],
    actor: service('odoo'),
    subject: `schema/${company.key}-${id}`,
  };
  const keys = [{ type: 'extid', value: schema.subject }];
  land.fact(company, { ...schema, keys, type: 'schema.changed', at });
  land.fact(company, { ...schema, keys, type: 'schema.accepted', at: at + 4 * HOUR });
}

/** A caller that the catalogue knows. */
function knownCall(land: Landscape, company: Company, at: number): void {
  const facts = {
    system: 'middleware' as const,
    attributes: { client: 'ocr-worker' },
    actor: service('gateway'),
  };
  const catalogued = `interface/${company.key}-ocr-worker`;
  land.fact(company, {
    ...facts,
    type: 'interface.catalogued',
    subject: catalogued,
    at: at - HOUR,
    keys: [{ type: 'extid', value: catalogued }],
  });
  const call = `call/${company.key}-known-${land.next('call')}`;
  land.fact(company, {
    ...facts,
    type: 'interface.called',
    subject: call,
    at,
    keys: [{ type: 'extid', value: call }],
  });
}

/** A credential that is rotated every week, long before it expires. */
export function rotate(land: Landscape, company: Company, at: number, name: string, days = 60): string {
  const subject = `credential/${company.key}-${name}`;
  const expires = new Date(at + days * DAY).toISOString();
  land.fact(company, {
    system: 'middleware',
    type: 'credential.rotated',
    subject,
    at,
    keys: [{ type: 'extid', value: subject }],
    attributes: { expires },
    actor: service('vault'),
  });
  return subject;
}
