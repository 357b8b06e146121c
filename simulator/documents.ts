import type { Company } from '../model/company.ts';
import type { Key } from '../model/key.ts';
import { afterOfficeTime, localDate } from './calendar.ts';
import { bookDraft, callOdoo, captureBill, issueInvoice, sendToBank } from './calls.ts';
import type { Landscape, TraceContext } from './landscape.ts';

/** The documents of the landscape. Each function writes down one document and, when asked, leaves a part of its way out. */

const MINUTE = 60_000;
const PEOPLE = ['u-17', 'u-23', 'u-31', 'u-42', 'u-58', 'u-64'] as const;
const person = (land: Landscape) => ({ id: land.random.pick(PEOPLE), kind: 'human' as const });
const service = (id: string) => ({ id, kind: 'service' as const });

/** Plain amounts lie well below performance materiality; a few documents are large. */
const amountOf = (land: Landscape, company: Company, high = 40_000): string => {
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
const extid = (subject: string): Key => ({ type: 'extid', value: subject.replace('/', ',') });

const facts = (bill: Bill) => ({ amount: bill.amount, party: bill.party });

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
    ...facts(bill),
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
    ...facts(bill),
    model: 'account.move',
    keys: [...bill.keys, extid(subject)],
    actor: from ? service('middleware') : person(land),
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
    ...facts(bill),
    model: 'account.move',
    keys: [...bill.keys, extid(subject), ...(docNumber ? [{ type: 'docno', value: docNumber }] : [])],
    ...(docNumber ? { docNumber } : {}),
    actor: person(land),
    ...(trace ? { trace } : {}),
  });
}

/** The whole way of a bill: captured, drafted within minutes, posted after at most some eight office hours. */
export function billWay(
  land: Landscape,
  company: Company,
  at: number,
  bill = newBill(land, company),
): string {
  const { subject, trace } = receiveBill(land, company, bill, at);
  const drafted = at + land.random.int(1, 9) * MINUTE;
  const move = draftBill(land, company, bill, drafted, trace);
  const posted = afterOfficeTime(company, drafted, land.random.int(5, 480));
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
    actor: person(land),
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
  land.fact(company, { ...approval, system: 'approvals', type, at, actor: person(land) });
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
  land.fact(company, { ...order, type: 'purchaseorder.submitted', at, actor: person(land) });
  const approval = requestApproval(land, company, at + 2 * MINUTE, keys, amount);
  const decided = afterOfficeTime(company, at, land.random.int(20, 540));
  const rejected = land.random.chance(0.125);
  decideApproval(land, company, approval, rejected ? 'approval.rejected' : 'approval.granted', decided);
  const type = rejected ? 'purchaseorder.cancelled' : 'purchaseorder.confirmed';
  land.fact(company, { ...order, type, at: decided + 3 * MINUTE, actor: service('odoo') });
}

/** A payment goes out: registered, sent to the bank ten minutes later. Returns what `answerPayment` needs. */
export function sendPayment(land: Landscape, company: Company, at: number) {
  const subject = `account.payment/${land.next('payment')}`;
  const payment = {
    amount: amountOf(land, company, 60_000),
    party: `S${1000 + land.random.int(0, 39)}`,
    keys: [{ type: 'e2e', value: `E2E-${land.random.hex(20).toUpperCase()}` }],
    attributes: { direction: 'outbound' },
  };
  const odoo = { ...payment, system: 'odoo' as const, subject, model: 'account.payment' };
  land.fact(company, { ...odoo, type: 'payment.registered', at, actor: person(land) });
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

export function answerPayment(
  land: Landscape,
  company: Company,
  payment: ReturnType<typeof sendPayment>,
  type: 'payment.confirmed' | 'payment.rejected' | 'payment.returned',
  at: number,
): void {
  const { odooSubject: _, ...rest } = payment;
  const subject = `pain002/${land.next('pain002')}`;
  land.fact(company, { ...rest, system: 'bank', type, subject, at, actor: service('bank') });
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

export function postInvoice(
  land: Landscape,
  company: Company,
  { invoice, trace }: ReturnType<typeof newInvoice>,
  at: number,
): void {
  const posting = callOdoo(land, trace, at - 400, 'account.move', 'create');
  land.fact(company, {
    ...invoice,
    system: 'odoo',
    type: 'invoice.posted',
    subject: `account.move/${land.next('move')}`,
    model: 'account.move',
    at,
    actor: service('middleware'),
    trace: posting,
  });
}

/** An invoice that Odoo posts within twenty minutes. */
export function invoiceWay(land: Landscape, company: Company, at: number): void {
  postInvoice(land, company, newInvoice(land, company, at), at + land.random.int(30, 1200) * 1000);
}
