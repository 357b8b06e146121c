import type { Company } from '../model/company.ts';
import { workdayBefore } from './calendar.ts';
import { bookDraft } from './calls.ts';
import * as doc from './documents.ts';
import type { Landscape } from './landscape.ts';

/** A fault that was planted, and the exception that it must raise. */
export interface Planted {
  readonly rule: string;
  readonly company: string;
  readonly subject: string;
  /** What was done, `tax-engine-outage`. */
  readonly fault: string;
}

const MINUTE = 60_000;

/** A bill that is captured and drafted; returns both subjects and the context of its capture. */
function draftedBill(land: Landscape, company: Company, at: number, bill = doc.newBill(land, company)) {
  const received = doc.receiveBill(land, company, bill, at);
  const move = doc.draftBill(land, company, bill, at + 4 * MINUTE, received.trace);
  return { bill, move, ...received };
}

/** Twelve bills are captured while the tax engine answers 503: they never reach Odoo. */
function taxOutage(land: Landscape, company: Company, now: number, count: number): Planted[] {
  const from = workdayBefore(company, now, 6, 10);
  return Array.from({ length: count }, (_, index) => {
    const at = from + index * 7 * MINUTE;
    const { subject, trace } = doc.receiveBill(land, company, doc.newBill(land, company), at);
    bookDraft(land, company, trace, at + 5000, true);
    return { rule: 'MP-02', company: company.key, subject, fault: 'tax-engine-outage' };
  });
}

/** Faults of one company. Each lies far enough back that its deadline has passed by more than a working day. */
function plantIn(land: Landscape, company: Company, now: number): Planted[] {
  const day = (count: number, hour: number) => workdayBefore(company, now, count, hour);
  const planted: Planted[] = [];
  const plant = (rule: Planted['rule'], subject: string, fault: string) =>
    planted.push({ rule, company: company.key, subject, fault });

  const lost = doc.receiveBill(land, company, doc.newBill(land, company), day(7, 11.25));
  plant('MP-02', lost.subject, 'lost-between-ocr-and-odoo');

  const manual = doc.newBill(land, company);
  plant('SA-04', doc.draftBill(land, company, manual, day(8, 10.5)), 'draft-forgotten');
  const both = draftedBill(land, company, day(9, 14.1));
  plant('SA-04', both.move, 'draft-forgotten');
  plant('MP-02', both.subject, 'draft-forgotten');

  plant('SA-02', doc.requestApproval(land, company, day(6, 9.75)).subject, 'approver-on-leave');
  plant('SA-02', doc.requestApproval(land, company, day(11, 16.2)).subject, 'approver-on-leave');

  plant('MP-09', doc.sendPayment(land, company, day(4, 15.3)).odooSubject, 'bank-never-answers');

  const unposted = doc.newInvoice(land, company, day(3, 13.4));
  plant('MP-06', unposted.subject, 'webhook-lost');

  const twice = draftedBill(land, company, day(5, 9.5));
  doc.moveBill(land, company, twice.bill, twice.move, 'bill.posted', day(5, 11), twice.trace);
  const again = draftedBill(land, company, day(4, 10), twice.bill);
  doc.moveBill(land, company, again.bill, again.move, 'bill.posted', day(4, 12), again.trace);
  plant('CT-01', again.move, 'entered-twice');
  return planted;
}

/** What looks like a fault and is none, or is over: nothing of it may be open at the end. Returns what was answered, but late. */
function plantDecoys(land: Landscape, company: Company, now: number): Planted[] {
  const late: Planted[] = [];
  const answeredLate = (rule: string, subject: string): void => {
    late.push({ rule, company: company.key, subject, fault: 'answered-late' });
  };
  const day = (count: number, hour: number) => workdayBefore(company, now, count, hour);

  // Late, but answered.
  const slowly = doc.newBill(land, company);
  const received = doc.receiveBill(land, company, slowly, day(14, 10));
  answeredLate('MP-02', received.subject);
  const lateMove = doc.draftBill(land, company, slowly, day(8, 10), received.trace);
  doc.moveBill(land, company, slowly, lateMove, 'bill.posted', day(8, 11), received.trace);
  const slow = doc.newBill(land, company);
  const slowMove = doc.draftBill(land, company, slow, day(13, 12));
  answeredLate('SA-04', slowMove);
  doc.moveBill(land, company, slow, slowMove, 'bill.posted', day(7, 12));
  const slowApproval = doc.requestApproval(land, company, day(10, 9.5));
  answeredLate('SA-02', slowApproval.subject);
  doc.decideApproval(land, company, slowApproval, 'approval.granted', day(5, 15));
  const slowPayment = doc.sendPayment(land, company, day(9, 10));
  answeredLate('MP-09', slowPayment.odooSubject);
  doc.answerPayment(land, company, slowPayment, 'payment.confirmed', day(6, 10));
  const slowInvoice = doc.newInvoice(land, company, day(6, 10));
  answeredLate('MP-06', slowInvoice.subject);
  doc.postInvoice(land, company, slowInvoice, day(6, 14));

  // Answered otherwise, in time.
  const refused = draftedBill(land, company, day(7, 15));
  doc.moveBill(land, company, refused.bill, refused.move, 'bill.rejected', day(6, 10));
  const cancelled = doc.newBill(land, company);
  const cancelledMove = doc.draftBill(land, company, cancelled, day(9, 9.2));
  doc.moveBill(land, company, cancelled, cancelledMove, 'bill.cancelled', day(8, 9.5));
  doc.decideApproval(
    land,
    company,
    doc.requestApproval(land, company, day(8, 10)),
    'approval.rejected',
    day(7, 10),
  );
  const returned = doc.sendPayment(land, company, day(7, 9.3));
  doc.answerPayment(land, company, returned, 'payment.returned', day(7, 13));

  // Voided.
  doc.decideApproval(
    land,
    company,
    doc.requestApproval(land, company, day(9, 11)),
    'approval.withdrawn',
    day(8, 11),
  );

  // Same reference and other amount; same amount and other reference; a duplicate that was taken back.
  const part = draftedBill(land, company, day(5, 14));
  doc.moveBill(land, company, part.bill, part.move, 'bill.posted', day(5, 15), part.trace);
  const rest = { ...part.bill, amount: `${Number.parseInt(part.bill.amount, 10) + 7}.35` };
  const restMove = doc.draftBill(land, company, rest, day(4, 14));
  doc.moveBill(land, company, rest, restMove, 'bill.posted', day(4, 15));
  const twin = { ...doc.newBill(land, company), amount: part.bill.amount, party: part.bill.party };
  const twinMove = doc.draftBill(land, company, twin, day(4, 14.5));
  doc.moveBill(land, company, twin, twinMove, 'bill.posted', day(4, 16));
  const kept = draftedBill(land, company, day(6, 11));
  doc.moveBill(land, company, kept.bill, kept.move, 'bill.posted', day(6, 13), kept.trace);
  const undone = doc.draftBill(land, company, kept.bill, day(5, 10));
  doc.moveBill(land, company, kept.bill, undone, 'bill.posted', day(5, 10.5));
  doc.moveBill(land, company, kept.bill, undone, 'bill.reversed', day(5, 13));

  // Waiting, within its time.
  doc.requestApproval(land, company, day(1, 16.5));
  doc.receiveBill(land, company, doc.newBill(land, company), day(1, 16));
  doc.draftBill(land, company, doc.newBill(land, company), day(1, 15));
  return late;
}

/** Plants the faults and the decoys of every company; returns the truth: what is open at the end, and what was answered late. */
export function plantFaults(
  land: Landscape,
  companies: readonly Company[],
  now: number,
): { truth: Planted[]; late: Planted[] } {
  const [first] = companies;
  const late: Planted[] = [];
  const planted = companies.flatMap((company) => {
    late.push(...plantDecoys(land, company, now));
    return plantIn(land, company, now);
  });
  return { truth: first ? [...taxOutage(land, first, now, 12), ...planted] : planted, late };
}
