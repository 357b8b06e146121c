import type { Company } from '../model/company.ts';
import type { Key } from '../model/key.ts';
import { afterOfficeTime, localDate, localMonth } from './calendar.ts';
import { bookDraft, callOdoo, captureBill, issueInvoice, sendToBank } from './calls.ts';
import type { Landscape, TraceContext } from './landscape.ts';

/** The documents of the landscape. Each function writes down one document and, when asked, leaves a part of its way out. */

export const MINUTE = 60_000;
/** Who does what: nobody takes two steps of one document that people must share. */
const PEOPLE = {
  buyer: ['u-11', 'u-12', 'u-17'],
  approver: ['u-23', 'u-24'],
  accountant: ['u-31', 'u-33', 'u-42'],
  treasurer: ['u-58', 'u-64'],
} as const;
export const person = (land: Landscape, role: keyof typeof PEOPLE) => ({
  id: land.random.pick(PEOPLE[role]),
  kind: 'human' as const,
});
export const service = (id: string) => ({ id, kind: 'service' as const });

/** Plain amounts lie well below performance materiality; a few documents are large. */
export const amountOf = (land: Landscape, company: Company, high = 40_000): string => {
  const scale = Number(company.materiality?.performance ?? 150_000) / 150_000;
  return land.random.amount(80, high * scale);
};

export interface Bill {
  readonly supref: string;
  readonly amount: string;
  readonly party: string;
  readonly keys: readonly Key[];
}

/** A bill as a supplier writes it: supplier number and reference are unique in the landscape. */
export function newBill(land: Landscape, company: Company): Bill {
  const party = `S${1000 + land.random.int(0, 39)}`;
  const supref = `${party}:${land.random.pick(['RE', 'INV', 'F'])}-${2000 + land.next(`supref:${company.key}`)}`;
  return { supref, amount: amountOf(land, company), party, keys: [{ type: 'supref', value: supref }] };
}

/** Odoo's own id of a record, as its external API gives it out. */
export const extid = (subject: string): Key => ({ type: 'extid', value: subject.replace('/', ',') });

/** The accounting period of a bill is that of the day on which it first shows, whenever it is posted. */
const PERIODS = new WeakMap<Bill, string>();
const facts = (company: Company, bill: Bill, at: number) => {
  const period = PERIODS.get(bill) ?? localMonth(company, at);
  PERIODS.set(bill, period);
  return { amount: bill.amount, party: bill.party, period };
};

/** The OCR service captures the bill. Returns the subject, and the trace that goes on in the middleware. */
export function receiveBill(
  land: Landscape,
  company: Company,
  bill: Bill,
  at: number,
): { subject: string; trace: TraceContext } {
  const trace = captureBill(land, company, at);
  const subject = `document/OCR-${company.key}-${land.next('ocr')}`;
  land.fact(company, {
    system: 'ocr',
    type: 'bill.received',
    subject,
    at,
    ...facts(company, bill, at),
    keys: [...bill.keys, { type: 'filehash', value: land.random.hex(64) }],
    actor: service('ocr'),
    trace,
  });
  return { subject, trace };
}

/** Odoo holds the bill as a draft. Returns its subject, `account.move/42`. */
export function draftBill(
  land: Landscape,
  company: Company,
  bill: Bill,
  at: number,
  from?: TraceContext,
): string {
  const trace = from ? bookDraft(land, company, from, at - 500) : undefined;
  const subject = `account.move/${land.next('move')}`;
  land.fact(company, {
    system: 'odoo',
    type: 'bill.drafted',
    subject,
    at,
    ...facts(company, bill, at),
    model: 'account.move',
    keys: [...bill.keys, extid(subject)],
    actor: from ? service('middleware') : person(land, 'accountant'),
    ...(trace ? { trace } : {}),
  });
  return subject;
}

/** Odoo tells of a later step of the bill: posted, cancelled, rejected, reversed. Posting gives it its number. */
export function moveBill(
  land: Landscape,
  company: Company,
  bill: Bill,
  subject: string,
  type: 'bill.posted' | 'bill.cancelled' | 'bill.rejected' | 'bill.reversed',
  at: number,
  from?: TraceContext,
): void {
  const posted = type === 'bill.posted';
  const year = localDate(company, at).slice(0, 4);
  const docNumber = posted
    ? `BILL/${year}/${String(land.next(`bill:${company.key}`)).padStart(5, '0')}`
    : undefined;
  const trace = posted && from ? callOdoo(land, from, at - 300, 'account.move', 'action_post') : undefined;
  land.fact(company, {
    system: 'odoo',
    type,
    subject,
    at,
    ...facts(company, bill, at),
    model: 'account.move',
    keys: [...bill.keys, extid(subject), ...(docNumber ? [{ type: 'docno', value: docNumber }] : [])],
    ...(docNumber ? { docNumber } : {}),
    actor: person(land, 'accountant'),
    ...(trace ? { trace } : {}),
  });
}

/** The whole way of a bill: captured, drafted within minutes, posted after at most some seven office hours. */
export function billWay(
  land: Landscape,
  company: Company,
  at: number,
  bill = newBill(land, company),
): string {
  const { subject, trace } = receiveBill(land, company, bill, at);
  const drafted = at + land.random.int(1, 9) * MINUTE;
  const move = draftBill(land, company, bill, drafted, trace);
  const posted = afterOfficeTime(company, drafted, land.random.int(5, 420));
  moveBill(land, company, bill, move, 'bill.posted', posted, trace);
  return subject;
}

/** Somebody asks for an approval. Returns what `decideApproval` needs. */
export function requestApproval(
  land: Landscape,
  company: Company,
  at: number,
  keys: readonly Key[] = [],
  amount = amountOf(land, company, 90_000),
) {
  const id = `APR-${1000 + land.next('approval')}`;
  const approval = { subject: `approval/${id}`, amount, keys: [{ type: 'extid', value: id }, ...keys] };
  land.fact(company, {
    ...approval,
    system: 'approvals',
    type: 'approval.requested',
    at,
    actor: person(land, 'buyer'),
  });
  return approval;
}

export function decideApproval(
  land: Landscape,
  company: Company,
  approval: ReturnType<typeof requestApproval>,
  type: 'approval.granted' | 'approval.rejected' | 'approval.withdrawn',
  at: number,
): void {
  land.fact(company, { ...approval, system: 'approvals', type, at, actor: person(land, 'approver') });
}

/** A purchase order that is submitted, approved after at most nine office hours, and confirmed; one in eight is rejected. */
export function orderWay(land: Landscape, company: Company, at: number): void {
  const number = `P${String(land.next(`po:${company.key}`)).padStart(5, '0')}`;
  const keys: Key[] = [{ type: 'po', value: number }];
  const amount = amountOf(land, company, 90_000);
  const subject = `purchase.order/${land.next('po')}`;
  const order = {
    system: 'odoo' as const,
    subject,
    amount,
    keys,
    model: 'purchase.order',
    docNumber: number,
  };
  land.fact(company, { ...order, type: 'purchaseorder.submitted', at, actor: person(land, 'buyer') });
  const approval = requestApproval(land, company, at + 2 * MINUTE, keys, amount);
  const decided = afterOfficeTime(company, at, land.random.int(20, 540));
  const rejected = land.random.chance(0.125);
  decideApproval(land, company, approval, rejected ? 'approval.rejected' : 'approval.granted', decided);
  const type = rejected ? 'purchaseorder.cancelled' : 'purchaseorder.confirmed';
  land.fact(company, { ...order, type, at: decided + 3 * MINUTE, actor: service('odoo') });
}

/** A payment goes out: registered, sent to the bank ten minutes later. Returns what `answerPayment` needs. */
export function sendPayment(
  land: Landscape,
  company: Company,
  at: number,
  given: { party?: string; actor?: { id: string; kind: 'human' }; keys?: readonly Key[] } = {},
) {
  const subject = `account.payment/${land.next('payment')}`;
  const payment = {
    amount: amountOf(land, company, 60_000),
    party: given.party ?? `S${1000 + land.random.int(0, 39)}`,
    keys: [{ type: 'e2e', value: `E2E-${land.random.hex(20).toUpperCase()}` }],
    attributes: { direction: 'outbound' },
  };
  const keys = [...payment.keys, ...(given.keys ?? [])];
  const odoo = { ...payment, keys, system: 'odoo' as const, subject, model: 'account.payment' };
  const actor = given.actor ?? person(land, 'treasurer');
  land.fact(company, { ...odoo, type: 'payment.registered', at, actor });
  const trace = sendToBank(land, at + 10 * MINUTE);
  land.fact(company, {
    ...odoo,
    type: 'payment.sent',
    at: at + 10 * MINUTE,
    actor: service('odoo'),
    trace,
  });
  return { ...payment, odooSubject: subject };
}

/** The bank answers, and Odoo follows within hours: matched, or, of a rejected or returned one, cancelled. Returns the subject of the answer. */
export function answerPayment(
  land: Landscape,
  company: Company,
  payment: ReturnType<typeof sendPayment>,
  type: 'payment.confirmed' | 'payment.rejected' | 'payment.returned',
  at: number,
  followed = true,
): string {
  const { odooSubject, ...rest } = payment;
  const subject = `pain002/${land.next('pain002')}`;
  land.fact(company, { ...rest, system: 'bank', type, subject, at, actor: service('bank') });
  if (followed)
    land.fact(company, {
      ...rest,
      system: 'odoo',
      type: type === 'payment.confirmed' ? 'payment.matched' : 'payment.cancelled',
      subject: odooSubject,
      at: at + land.random.int(30, 180) * MINUTE,
      model: 'account.payment',
      actor: service('odoo'),
    });
  return subject;
}

/** A payment that the bank answers within five hours; one in fifty is rejected. */
export function paymentWay(land: Landscape, company: Company, at: number): void {
  const payment = sendPayment(land, company, at);
  const type = land.random.chance(0.02) ? 'payment.rejected' : 'payment.confirmed';
  answerPayment(land, company, payment, type, at + land.random.int(25, 300) * MINUTE);
}

/** Billing issues an invoice. Returns what `postInvoice` needs. */
export function newInvoice(land: Landscape, company: Company, at: number) {
  const year = localDate(company, at).slice(0, 4);
  const docNumber = `INV/${year}/${String(land.next(`inv:${company.key}`)).padStart(5, '0')}`;
  const trace = issueInvoice(land, company, at);
  const invoice = {
    docNumber,
    amount: amountOf(land, company),
    party: `C${2000 + land.random.int(0, 79)}`,
    keys: [{ type: 'docno', value: docNumber }],
  };
  const subject = `invoice/${company.key}-${docNumber}`;
  const issued = { ...invoice, system: 'billing' as const, type: 'invoice.issued', subject, at, trace };
  land.fact(company, { ...issued, actor: service('billing') });
  return { invoice, subject, trace };
}

/** Odoo posts the invoice, and the reporting platform has it soon after. Returns its subject in Odoo. */
export function postInvoice(
  land: Landscape,
  company: Company,
  { invoice, trace }: ReturnType<typeof newInvoice>,
  at: number,
): string {
  const posting = callOdoo(land, trace, at - 400, 'account.move', 'create');
  const subject = `account.move/${land.next('move')}`;
  const period = localMonth(company, at);
  land.fact(company, {
    ...invoice,
    system: 'odoo',
    type: 'invoice.posted',
    subject,
    model: 'account.move',
    at,
    period,
    actor: service('middleware'),
    trace: posting,
  });
  land.fact(company, {
    ...invoice,
    system: 'reporting',
    type: 'invoice.reported',
    subject: `fact/${invoice.docNumber}`,
    at: at + land.random.int(15, 60) * MINUTE,
    period,
    actor: service('reporting'),
  });
  return subject;
}

/** An invoice that Odoo posts within twenty minutes. */
export function invoiceWay(land: Landscape, company: Company, at: number): void {
  postInvoice(land, company, newInvoice(land, company, at), at + land.random.int(30, 1200) * 1000);
}
