import type { Company } from '../model/company.ts';
import type { Key } from '../model/key.ts';
import { localDate, localMonth, workdayBefore } from './calendar.ts';
import * as chain from './chains.ts';
import * as doc from './documents.ts';
import { amountOf, extid, MINUTE, person, service } from './documents.ts';
import type { System } from './events.ts';
import type { Landscape } from './landscape.ts';
import type { SimulatedLog } from './logs.ts';

/** A failure that was planted, and what must be said of it. */
export interface Failure {
  readonly rule: string;
  readonly company: string;
  readonly subject: string;
  readonly fault: string;
}

/** Where a failure is planted: hours of working days, counted from the first one. */
interface Place {
  readonly land: Landscape;
  readonly company: Company;
  readonly companies: readonly Company[];
  /** Epoch ms of an hour of the working day that lies so many after the first. */
  day(after: number, hour: number): number;
}

type Says = readonly (readonly [rule: string, subject: string])[];
type Plant = (place: Place) => Says;

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A plain fact of a document, with its subject as key. */
function fact(
  { land, company }: Place,
  system: System,
  type: string,
  subject: string,
  at: number,
  more: Partial<Parameters<Landscape['fact']>[1]> = {},
): void {
  land.fact(company, {
    system,
    type,
    subject,
    at,
    actor: service(system),
    ...more,
    keys: [{ type: 'extid', value: subject }, ...(more.keys ?? [])],
  });
}

const named = ({ land, company }: Place, kind: string): string =>
  `${kind}/${company.key}-${land.next(`failure:${kind}`)}`;

/** Spans of a service that failed, one after the other. */
function fail(
  land: Landscape,
  service: Parameters<Landscape['span']>[0]['service'],
  name: string,
  at: number,
  type: string,
  message: string,
  count: number,
): void {
  for (let i = 0; i < count; i += 1)
    land.span({ service, name, kind: 'client', at: at + i * 9000, ms: 900, error: { type, message } });
}

/** A line in the log of a service that has to do with it. */
function line(
  { land }: Place,
  service: SimulatedLog['service'],
  at: number,
  severity: SimulatedLog['severity'],
  body: string,
  type?: string,
): void {
  const attributes = type ? { 'exception.type': type, 'exception.message': body } : {};
  land.log({ service, at, severity, body, attributes });
}

/** A draft that Odoo holds, and what becomes of it. */
function draft(
  place: Place,
  kind: string,
  at: number,
  more: Partial<Parameters<Landscape['fact']>[1]> = {},
): string {
  const subject = `account.move/${place.land.next('move')}`;
  fact(place, 'odoo', `${kind}.drafted`, subject, at, {
    keys: [extid(subject)],
    model: 'account.move',
    ...more,
  });
  return subject;
}

function postedBill(
  { land, company, day }: Place,
  after: number,
  given: Partial<doc.Bill> & {
    actor?: { id: string; kind: 'human' };
    attributes?: Record<string, string>;
    also?: readonly Key[];
  } = {},
): { subject: string; bill: doc.Bill } {
  const made = doc.newBill(land, company);
  const { actor, attributes, also = [], ...own } = given;
  const bill = { ...made, ...own, keys: own.supref ? [{ type: 'supref', value: own.supref }] : made.keys };
  const subject = `account.move/${land.next('move')}`;
  land.fact(company, {
    system: 'odoo',
    type: 'bill.posted',
    subject,
    at: day(after, 11) + land.random.int(0, 3_000_000),
    amount: bill.amount,
    party: bill.party,
    model: 'account.move',
    keys: [...bill.keys, ...also, extid(subject)],
    actor: actor ?? person(land, 'accountant'),
    ...(attributes ? { attributes } : {}),
  });
  return { subject, bill };
}

/** Every way to fail, by name: what happens, and what must be said of it. The numbers are those of the list of failure modes. */
export const FAILURES: Readonly<Record<string, Plant>> = {
  /** 1: a message is lost between capture and Odoo. */
  'message-lost': (place) => {
    const { land, company, day } = place;
    const { subject } = doc.receiveBill(land, company, doc.newBill(land, company), day(0, 10.2));
    const lost = 'the consumer of bill-intake was restarted, 1 message was not acknowledged';
    line(place, 'middleware', day(0, 10.2) + MINUTE, 'WARN', lost);
    return [['MP-02', subject]];
  },
  /** 1: procurement approved a bill that Odoo never got. */
  'approved-bill-lost': (place) => {
    const { land, company, day } = place;
    const bill = doc.newBill(land, company);
    const subject = named(place, 'invoice');
    fact(place, 'procurement', 'bill.approved', subject, day(0, 10), {
      keys: bill.keys,
      amount: bill.amount,
      party: bill.party,
    });
    return [['MP-01', subject]];
  },
  /** 2: a webhook comes half an hour late. 3: one of five never comes. */
  'webhook-late': (place) => {
    const subject = named(place, 'hint');
    fact(place, 'odoo', 'webhook.hinted', subject, place.day(0, 11));
    fact(place, 'odoo', 'webhook.confirmed', subject, place.day(0, 11) + 30 * MINUTE);
    const late = 'the webhook to middleware timed out, trying again in 1800 s';
    line(place, 'odoo', place.day(0, 11) + MINUTE, 'WARN', late);
    return [['DC-07', subject]];
  },
  'webhook-partly-delivered': (place) => {
    const subjects = [0, 1, 2, 3, 4].map(() => named(place, 'hint'));
    subjects.forEach((subject, index) => {
      fact(place, 'odoo', 'webhook.hinted', subject, place.day(0, 12) + index * 1000);
      if (index !== 2) fact(place, 'odoo', 'webhook.confirmed', subject, place.day(0, 12) + MINUTE);
    });
    const gone = 'the webhook to middleware was answered 410 Gone and is given up';
    line(place, 'odoo', place.day(0, 12) + 2 * MINUTE, 'ERROR', gone, 'WebhookGone');
    return [['DC-07', subjects[2] as string]];
  },
  /** 4: the same message again, replayed: nothing may be said. */
  'message-twice': ({ land, company, day }) => {
    const subject = chain.message(land, company, day(0, 10));
    chain.retryMessage(land, company, subject, day(0, 10) + 10 * MINUTE, 'replayed');
    return [];
  },
  /** 5: entered by hand while the interface was down, and replayed afterwards. */
  'entered-twice': (place) => {
    const { bill } = postedBill(place, 0);
    const again = postedBill(place, 2, bill);
    return [['CT-01', again.subject]];
  },
  'typed-with-a-swap': (place) => {
    const { bill } = postedBill(place, 0, {
      supref: `S1900:RE-${place.land.random.int(10, 99)}47${place.land.random.int(10, 99)}`,
    });
    const again = postedBill(place, 2, { ...bill, supref: bill.supref.replace('47', '74') });
    return [['CT-01N', again.subject]];
  },
  'other-vendor': (place) => {
    const reference = `F-${place.land.random.hex(8)}`;
    const { bill } = postedBill(place, 0, { attributes: { reference } });
    const { land, company } = place;
    const other = {
      ...doc.newBill(land, company),
      party: bill.party === 'S1901' ? 'S1902' : 'S1901',
      amount: bill.amount,
    };
    const again = postedBill(place, 1, { ...other, attributes: { reference } });
    return [['CT-01V', again.subject]];
  },
  /** 7: a chain that stops half way: settled, and never booked. */
  'settlement-not-booked': (place) => {
    const { land, company, day } = place;
    line(
      place,
      'middleware',
      day(1, 16) + MINUTE,
      'ERROR',
      'no journal is set for settlements of PSP',
      'ConfigurationError',
    );
    const capture = chain.capturePayment(land, company, day(0, 10));
    const { settlement } = chain.settle(land, company, [capture], day(1, 16), { booked: false });
    return [['MP-12', settlement]];
  },
  /** 8 and 24: a storm of retries after a rate limit. */
  'retry-storm': ({ land, company, day }) => {
    const channel = `storm-${land.next('storm')}`;
    const at = day(0, 13);
    fail(
      land,
      'middleware',
      'POST /json/2/account.move/create',
      at + 240_000,
      'TooManyRequests',
      '429 Too Many Requests',
      12,
    );
    const subjects = Array.from({ length: 20 }, (_, i) => {
      const subject = chain.message(land, company, at + i * 10_000, 'nothing', channel);
      chain.retryMessage(land, company, subject, at + 240_000 + i * 9000, 'retried', channel);
      return subject;
    });
    for (const subject of subjects)
      chain.retryMessage(land, company, subject, at + 30 * MINUTE, 'received', channel);
    return [['IN-04', channel]];
  },
  /** 38: three times as many invoices as usual in an hour, each of which is posted. 6: some of them told late and out of order. */
  peak: ({ land, company, day }) => {
    for (let i = 0; i < 30; i += 1) doc.invoiceWay(land, company, day(0, 10) + ((i * 7) % 30) * 2 * MINUTE);
    return [];
  },
  /** 9 and 25: a queue that grows. */
  'queue-growing': (place) => {
    const queue = `queue-${place.land.next('queue')}`;
    for (let i = 0; i < 10; i += 1)
      fact(
        place,
        'middleware',
        'queue.measured',
        `queue/${place.company.key}-${queue}`,
        place.day(0, 14) + i * 2 * MINUTE,
        {
          attributes: { queue, state: i === 0 ? 'steady' : 'growing', depth: String(20 + i * 30) },
        },
      );
    line(
      place,
      'middleware',
      place.day(0, 14) + 20 * MINUTE,
      'WARN',
      `queue ${queue} holds 290 messages, 1 consumer`,
    );
    return [['IN-03', queue]];
  },
  /** 10: a dead letter that nobody handles. */
  'dead-letter': ({ land, company, day }) => {
    const at = day(0, 11) + 5 * MINUTE;
    fail(land, 'middleware', 'process bills', at, 'ParseError', 'the message is no JSON', 1);
    return [['IN-02', chain.message(land, company, day(0, 11), 'deadlettered')]];
  },
  'message-never-done': (place) => {
    const { land, company, day } = place;
    const subject = chain.message(land, company, day(0, 12), 'nothing');
    line(
      place,
      'middleware',
      day(0, 12) + 5 * MINUTE,
      'WARN',
      'the lease of a message ran out before it was done',
    );
    return [['IN-06', subject]];
  },
  /** 11 and 36: a code that no mapping knows. 12: a schema that changed. */
  'mapping-error': (place) => {
    const subject = named(place, 'mapping');
    fact(place, 'middleware', 'mapping.errorraised', subject, place.day(0, 10));
    const unknown = `tax code K19 of company ${place.company.key} is in no mapping`;
    line(place, 'middleware', place.day(0, 10), 'ERROR', unknown, 'MappingError');
    return [['IN-08', subject]];
  },
  'schema-changed': (place) => {
    const subject = named(place, 'schema');
    fact(place, 'odoo', 'schema.changed', subject, place.day(0, 10));
    const missing = 'the answer of res.partner has no field x_reference any more';
    line(place, 'middleware', place.day(0, 10) + MINUTE, 'WARN', missing);
    return [['IN-08', subject]];
  },
  /** 13 and 14: another amount in Odoo than was issued. */
  'other-amount': ({ land, company, day }) => {
    const issued = doc.newInvoice(land, company, day(0, 10));
    const bent = {
      ...issued,
      invoice: { ...issued.invoice, amount: `${Number.parseInt(issued.invoice.amount, 10) + 3}.17` },
    };
    return [['MP-06V', doc.postInvoice(land, company, bent, day(0, 10) + 10 * MINUTE)]];
  },
  /** 15: mirrored with another amount, in the wrong company. */
  'wrong-mirror': ({ land, company, companies, day }) => {
    const to = companies.find((one) => one !== company) ?? company;
    return [['MP-16', chain.intercompanyWay(land, company, to, day(0, 10), { bend: 12 })]];
  },
  'no-mirror': ({ land, company, companies, day }) => {
    const to = companies.find((one) => one !== company) ?? company;
    return [['MP-16', chain.intercompanyWay(land, company, to, day(0, 10), { mirrored: false })]];
  },
  /** 16: dated in one period, posted in the next. */
  'wrong-period': (place) => {
    const { land, company, day } = place;
    const bill = doc.newBill(land, company);
    const subject = draft(place, 'bill', day(0, 10), {
      amount: bill.amount,
      party: bill.party,
      keys: bill.keys,
    });
    const at = day(0, 12);
    const [year, month] = localMonth(company, at).split('-').map(Number) as [number, number];
    const period = month === 12 ? `${year + 1}-01` : `${year}-${String(month + 1).padStart(2, '0')}`;
    fact(place, 'odoo', 'bill.posted', subject, at, {
      amount: bill.amount,
      party: bill.party,
      keys: [...bill.keys, extid(subject)],
      period,
      actor: person(land, 'accountant'),
    });
    return [['CO-01', subject]];
  },
  /** 17: reported before it was posted; the set of the period is not equal either. */
  'draft-exposed': ({ land, company, day }) => {
    const docNumber = `DRAFT/${land.random.hex(6)}`;
    const period = localMonth(company, day(0, 10));
    chain.report(land, company, { docNumber, amount: '99.00', period }, day(0, 10));
    return [
      ['CT-08', `fact/${docNumber}`],
      ['DC-01', period],
    ];
  },
  'not-reported': ({ land, company, day }) => {
    chain.shopWay(land, company, day(0, 10), { reported: false });
    return [['DC-01', localMonth(company, day(0, 10))]];
  },
  /** 18: approvals that nobody decides. */
  'approval-stuck': ({ land, company, day }) => [
    ['SA-02', doc.requestApproval(land, company, day(0, 9.5)).subject],
  ],
  'order-stuck': (place) => {
    const subject = named(place, 'purchase.order');
    fact(place, 'odoo', 'purchaseorder.submitted', subject, place.day(0, 10), {
      amount: amountOf(place.land, place.company),
      actor: person(place.land, 'buyer'),
    });
    return [['SA-01', subject]];
  },
  'expense-stuck': ({ land, company, day }) => [
    ['SA-03', chain.expenseWay(land, company, day(0, 10), 'submitted')],
  ],
  'payment-run-stuck': (place) => {
    const subject = named(place, 'batchpayment');
    fact(place, 'odoo', 'batchpayment.created', subject, place.day(0, 9.5), {
      attributes: { approval: 'required', cutoff: new Date(place.day(0, 15)).toISOString() },
    });
    fact(place, 'odoo', 'batchpayment.approved', subject, place.day(0, 14));
    return [['SA-05', subject]];
  },
  'bill-blocked': (place) => {
    const subject = named(place, 'account.move');
    const dueDate = localDate(place.company, place.day(6, 12));
    fact(place, 'odoo', 'bill.matchexception', subject, place.day(0, 10), { data: { dates: { dueDate } } });
    fact(place, 'odoo', 'bill.released', subject, place.day(6, 12));
    return [['SA-06', subject]];
  },
  'supplier-not-activated': (place) => {
    const subject = named(place, 'res.partner');
    fact(place, 'odoo', 'supplier.created', subject, place.day(0, 10));
    fact(place, 'odoo', 'supplier.activated', subject, place.day(8, 10));
    return [['SA-07', subject]];
  },
  'hold-not-released': (place) => {
    const subject = named(place, 'hold');
    fact(place, 'compliance', 'compliancehold.placed', subject, place.day(0, 10), {
      amount: amountOf(place.land, place.company),
    });
    fact(place, 'compliance', 'compliancehold.released', subject, place.day(4, 10));
    return [['SA-08', subject]];
  },
  'not-reviewed': (place) => {
    const subject = named(place, 'account.move');
    fact(place, 'odoo', 'journalentry.unchecked', subject, place.day(0, 10));
    fact(place, 'odoo', 'journalentry.checked', subject, place.day(0, 10) + 70 * DAY);
    return [['SA-09', subject]];
  },
  /** 19: decided outside, and nothing was posted. */
  'approved-not-posted': (place) => {
    const subject = named(place, 'approval');
    fact(place, 'approvals', 'approval.granted', subject, place.day(0, 10), {
      attributes: { approves: 'bill' },
      keys: [{ type: 'docno', value: `X-${subject}` }],
      actor: person(place.land, 'approver'),
    });
    return [['SA-10', subject]];
  },
  /** 20: posted though the approval was refused. */
  'posted-unapproved': (place) => {
    const { land, company, day } = place;
    const keys = [{ type: 'po', value: `PX-${land.random.hex(8)}` }];
    const approval = doc.requestApproval(land, company, day(0, 10), keys);
    doc.decideApproval(land, company, approval, 'approval.rejected', day(0, 14));
    const { subject } = postedBill(place, 1, { also: keys });
    return [['CT-05', subject]];
  },
  'above-limit': (place) => {
    const subject = named(place, 'approval');
    fact(place, 'approvals', 'approval.granted', subject, place.day(0, 10), {
      data: { approval: { excess: '120.00' } },
      actor: person(place.land, 'approver'),
    });
    return [['CT-10', subject]];
  },
  /** 21: one person posts the bill and pays it. */
  'same-person': (place) => {
    const { land, company, day } = place;
    const actor = { id: 'u-99', kind: 'human' as const };
    const docno = { type: 'docno', value: `SOD/${land.random.hex(8)}` };
    postedBill(place, 0, { actor, also: [docno] });
    const payment = doc.sendPayment(land, company, day(1, 10), { actor, keys: [docno] });
    doc.answerPayment(land, company, payment, 'payment.confirmed', day(1, 12));
    return [['CT-02', payment.odooSubject]];
  },
  /** 22: one technical account for two flows. */
  'shared-account': (place) => {
    const account = `svc-${place.land.random.hex(6)}`;
    return ['bills', 'payroll'].map((flow, index) => {
      const subject = named(place, 'account.move');
      fact(place, 'odoo', 'journalentry.posted', subject, place.day(index, 10), {
        attributes: { flow },
        actor: service(account),
      });
      return ['IN-11', subject] as const;
    });
  },
  /** 23: a credential that nobody rotates. */
  'credential-expires': (place) => {
    const { land, company, day } = place;
    return [['IN-07', chain.rotate(land, company, day(0, 10), `forgotten-${land.next('credential')}`, 33)]];
  },
  /** 26: a circuit breaker that stays open. */
  'circuit-open': (place) => {
    const subject = named(place, 'flow');
    fail(
      place.land,
      'middleware',
      'POST /payments',
      place.day(0, 10),
      'CircuitOpen',
      'bank gateway answered 503, the circuit is open',
      5,
    );
    fact(place, 'middleware', 'flow.circuitopened', subject, place.day(0, 10));
    fact(place, 'middleware', 'flow.circuitclosed', subject, place.day(0, 12));
    return [['IN-12', subject]];
  },
  /** 27: a statement that does not follow on the one before. */
  'statement-gap': (place) => {
    const subject = named(place, 'bankstatement');
    fact(place, 'bank', 'bankstatement.gapdetected', subject, place.day(0, 7), { amount: '250.00' });
    return [['CB-03', subject]];
  },
  /** 28: captured, and in no settlement; paid out, and not on the bank. */
  'settlement-missing': ({ land, company, day }) => [
    ['MP-10', `charge/${chain.capturePayment(land, company, day(0, 10)).psp}`],
  ],
  'payout-missing': ({ land, company, day }) => {
    const capture = chain.capturePayment(land, company, day(0, 10));
    return [['MP-11', chain.settle(land, company, [capture], day(1, 16), { paid: false }).payout]];
  },
  'refund-without-note': (place) => {
    const subject = named(place, 'refund');
    fact(place, 'psp', 'refund.settled', subject, place.day(0, 10), {
      amount: '45.00',
      keys: [{ type: 'docno', value: `RF-${subject}` }],
    });
    return [['MP-13', subject]];
  },
  /** 29: a fee of another kind. */
  'fee-anomaly': ({ land, company, day }) => {
    const capture = chain.capturePayment(land, company, day(0, 10));
    return [['AN-02', chain.settle(land, company, [capture], day(1, 16), { fee: 0.055 }).settlement]];
  },
  /** 30: a batch that does not end. 31: control totals that differ. */
  'batch-unfinished': ({ land, company, day }) => [
    ['DC-03B', chain.batchWay(land, company, day(0, 16), { ends: false }).subject],
  ],
  'control-total': ({ land, company, day }) => [
    ['DC-03', chain.batchWay(land, company, day(0, 16), { lost: 1 }).name],
  ],
  /** 32: a bank journal whose feed stands still. */
  'feed-stale': ({ land, company, day }) => {
    const journal = `OLD${land.next('journal')}`;
    for (const after of [0, 1, 2]) chain.bankLine(land, company, day(after, 8), [], '10.00', journal);
    return [['CB-01', `${company.key}-${journal}`]];
  },
  /** 33: two systems that write the same record back and forth. */
  'ping-pong': (place) => {
    const subject = named(place, 'res.partner');
    for (let i = 0; i < 9; i += 1)
      fact(
        place,
        i % 2 === 0 ? 'odoo' : 'odoo',
        'record.synchronised',
        subject,
        place.day(0, 15) + i * 20_000,
      );
    return [['IN-10', subject]];
  },
  /** 34: a caller that no catalogue knows. */
  'shadow-integration': (place) => {
    const client = `script-${place.land.random.hex(6)}`;
    const subject = named(place, 'call');
    fact(place, 'middleware', 'interface.called', subject, place.day(0, 10), { attributes: { client } });
    return [['IN-09', subject]];
  },
  /** 35: the ledger and its control account differ. */
  'ledger-break': (place) => {
    const { company, day } = place;
    const ledger = `ar-${place.land.next('ledger')}`;
    const period = localMonth(company, day(0, 20));
    fact(place, 'odoo', 'subledger.totalled', `ledger/${company.key}-${ledger}`, day(0, 20), {
      amount: '1200.00',
      period,
      attributes: { ledger },
    });
    fact(place, 'odoo', 'account.balanceobserved', `account/${company.key}-${ledger}`, day(0, 20), {
      amount: '1250.00',
      period,
      attributes: { ledger },
    });
    return [['DC-06', ledger]];
  },
  'suspense-left': (place) => {
    const { company, day } = place;
    const subject = `account.account/${company.key}-${place.land.next('suspense')}`;
    fact(place, 'odoo', 'account.balanceobserved', subject, day(0, 20), {
      amount: '310.00',
      period: localMonth(company, day(0, 20)),
      attributes: { role: 'suspense' },
    });
    return [['CB-04', subject]];
  },
  /** 37: an open item that the new flow does not have. */
  'lost-at-cutover': (place) => {
    const { company, day, land } = place;
    const cutover = `CUT${land.next('cutover')}`;
    for (let i = 0; i < 3; i += 1) {
      const docno = { type: 'docno', value: `${cutover}-${i}` };
      const more = { keys: [docno, { type: 'cutover', value: cutover }], amount: '70.00' };
      fact(
        place,
        'middleware',
        'parallel.old',
        `old/${company.key}-${cutover}-${i}`,
        day(0, 10) + i * MINUTE,
        more,
      );
      if (i < 2)
        fact(
          place,
          'middleware',
          'parallel.new',
          `new/${company.key}-${cutover}-${i}`,
          day(0, 10) + i * MINUTE,
          more,
        );
    }
    return [['CV-01', cutover]];
  },
  /** Missing postings of every other kind. */
  'order-not-in-odoo': ({ land, company, day }) => [
    ['MP-03', chain.approvePurchase(land, company, chain.newPurchase(land, company), day(0, 10), false)],
  ],
  'receipt-not-in-odoo': ({ land, company, day }) => {
    const purchase = chain.newPurchase(land, company);
    chain.approvePurchase(land, company, purchase, day(0, 9.5));
    const { warehouse } = chain.receivePurchase(land, company, purchase, day(0, 12), { inOdoo: false });
    chain.billPurchase(land, company, purchase, day(1, 12));
    return [['MP-04', warehouse]];
  },
  'received-not-billed': ({ land, company, day }) => {
    const purchase = chain.newPurchase(land, company);
    chain.approvePurchase(land, company, purchase, day(0, 9.5));
    const { warehouse } = chain.receivePurchase(land, company, purchase, day(0, 12));
    return [['MP-05', warehouse]];
  },
  'billed-too-much': ({ land, company, day }) => {
    const purchase = chain.newPurchase(land, company);
    chain.approvePurchase(land, company, purchase, day(0, 9.5));
    chain.receivePurchase(land, company, purchase, day(0, 12));
    return [
      ['PM-01', chain.billPurchase(land, company, purchase, day(0, 15), { quantity: purchase.quantity + 1 })],
    ];
  },
  'billed-too-dear': ({ land, company, day }) => {
    const purchase = chain.newPurchase(land, company);
    chain.approvePurchase(land, company, purchase, day(0, 9.5));
    chain.receivePurchase(land, company, purchase, day(0, 12));
    return [
      ['PM-02', chain.billPurchase(land, company, purchase, day(0, 15), { price: purchase.price * 1.1 })],
    ];
  },
  'invoice-lost': ({ land, company, day }) => [['MP-06', doc.newInvoice(land, company, day(0, 11)).subject]],
  'shop-order-lost': ({ land, company, day }) => [
    ['MP-07', chain.shopWay(land, company, day(0, 10), { invoiced: false }).order],
  ],
  'confirmed-unknown': (place) => {
    const subject = named(place, 'pain002');
    fact(place, 'bank', 'payment.confirmed', subject, place.day(0, 10), {
      amount: '900.00',
      keys: [{ type: 'e2e', value: `E2E-X${place.land.random.hex(16)}` }],
    });
    return [['MP-08', subject]];
  },
  'bank-silent': ({ land, company, day }) => {
    const { odooSubject } = doc.sendPayment(land, company, day(0, 10));
    return [
      ['MP-09', odooSubject],
      ['CB-05', odooSubject],
    ];
  },
  'rejected-not-undone': ({ land, company, day }) => {
    const payment = doc.sendPayment(land, company, day(0, 10));
    const subject = doc.answerPayment(land, company, payment, 'payment.rejected', day(0, 14), false);
    return [
      ['CB-06', subject],
      ['CB-05', payment.odooSubject],
    ];
  },
  'payroll-not-posted': ({ land, company, day }) => [
    ['MP-14', chain.payrollWay(land, company, day(0, 10), false)],
  ],
  'expense-not-posted': ({ land, company, day }) => [
    ['MP-15', chain.expenseWay(land, company, day(0, 10), 'approved')],
  ],
  'depreciation-missing': (place) => {
    const { company, day, land } = place;
    const period = localMonth(company, day(0, 10));
    const schedule = `SCH${land.next('schedule')}`;
    fact(place, 'odoo', 'schedule.expected', `schedule/${company.key}-${schedule}`, day(0, 10), {
      period,
      keys: [{ type: 'schedule', value: schedule }],
    });
    return [['MP-17', period]];
  },
  'auto-post-failed': (place) => {
    const at = place.day(0, 10);
    const subject = draft(place, 'journalentry', at, {
      attributes: { autoPost: 'monthly' },
      data: { dates: { accountingDate: localDate(place.company, at) } },
    });
    return [
      ['MP-18', subject],
      ['MP-19', subject],
    ];
  },
  'draft-in-closed-period': (place) => [['MP-19', draft(place, 'journalentry', place.day(0, 10))]],
  'draft-bill-forgotten': ({ land, company, day }) => [
    ['SA-04', doc.draftBill(land, company, doc.newBill(land, company), day(0, 10))],
  ],
  'due-and-not-posted': (place) => {
    const { land, company, day } = place;
    const bill = doc.newBill(land, company);
    const subject = named(place, 'document');
    const dueDate = localDate(company, day(6, 12));
    fact(place, 'ocr', 'bill.received', subject, day(0, 10), {
      amount: bill.amount,
      party: bill.party,
      keys: bill.keys,
      data: { dates: { dueDate } },
    });
    return [
      ['DU-01', subject],
      ['MP-02', subject],
    ];
  },
  /** Controls. */
  'account-changed-and-paid': (place) => {
    const { land, company, day } = place;
    const party = `S19${land.random.int(10, 99)}`;
    fact(place, 'odoo', 'supplier.bankaccountchanged', named(place, 'res.partner.bank'), day(0, 10), {
      party,
      actor: person(land, 'buyer'),
    });
    const payment = doc.sendPayment(land, company, day(1, 10), { party });
    doc.answerPayment(land, company, payment, 'payment.confirmed', day(1, 12));
    return [
      ['CT-04', payment.odooSubject],
      ['CT-04', payment.odooSubject],
    ];
  },
  'lock-exception': (place) => {
    const subject = named(place, 'account.lock_exception');
    fact(place, 'odoo', 'period.lockexceptiongranted', subject, place.day(0, 10), {
      attributes: { until: 'for ever' },
      actor: person(place.land, 'accountant'),
    });
    return [['CT-03', subject]];
  },
  'hash-changed': (place) => {
    const { land, company, day } = place;
    const subject = chain.postEntry(land, company, day(0, 10), [], '80.00', { number: false });
    fact(place, 'odoo', 'journalentry.posted', subject, day(1, 10), {
      amount: '80.00',
      keys: [extid(subject)],
      attributes: { hash: 'forged' },
    });
    return [['CT-07', subject]];
  },
  'posted-and-changed': (place) => {
    const { land, company, day } = place;
    const subject = chain.postEntry(land, company, day(0, 10), [], '80.00', { number: false });
    fact(place, 'odoo', 'journalentry.changed', subject, day(1, 10), {
      keys: [extid(subject)],
      actor: person(land, 'accountant'),
    });
    return [['CT-09', subject]];
  },
  'reversal-unexplained': (place) => {
    const explained = named(place, 'account.move');
    fact(place, 'odoo', 'journalentry.reversed', explained, place.day(0, 9), {
      attributes: { late: 'true' },
    });
    fact(place, 'odoo', 'journalentry.explained', explained, place.day(1, 9));
    const subject = named(place, 'account.move');
    fact(place, 'odoo', 'journalentry.reversed', subject, place.day(0, 10), { attributes: { late: 'true' } });
    fact(place, 'odoo', 'journalentry.explained', subject, place.day(0, 10) + 70 * DAY);
    return [['CT-06', subject]];
  },
  'number-gap': ({ land, company, day }) => {
    chain.postEntry(land, company, day(0, 10), [], '15.00');
    chain.postEntry(land, company, day(0, 10) + HOUR, [], '15.00', { skip: 1 });
    return [['DC-05', `${company.key}-MISC`]];
  },
  'tax-engine-silent': ({ land, company, day }) => {
    const message = 'the tax engine did not answer within 30 s';
    fail(land, 'tax-engine', 'POST /v2/calculate', day(0, 10), 'Timeout', message, 1);
    return [['TX-01', chain.taxCall(land, company, day(0, 10), false)]];
  },
  'einvoice-stuck': ({ land, company, day }) => [
    ['TX-02', chain.shopWay(land, company, day(0, 10), { accepted: false }).invoice],
  ],
  'return-late': (place) => {
    const subject = named(place, 'taxreturn');
    fact(place, 'tax', 'taxreturn.opened', subject, place.day(0, 10), {
      data: { dates: { dueDate: localDate(place.company, place.day(6, 12)) } },
    });
    fact(place, 'tax', 'taxreturn.submitted', subject, place.day(6, 12));
    return [['TX-03', subject]];
  },
  'risk-input-missing': (place) => {
    const { company, day, land } = place;
    const run = `RUN${land.next('riskrun')}`;
    const keys = [{ type: 'batch', value: run }];
    for (const input of ['ar', 'ap', 'cash']) {
      fact(place, 'reporting', 'riskrun.expected', `run/${company.key}-${run}-${input}`, day(0, 6), {
        keys,
        attributes: { input },
      });
      if (input !== 'cash')
        fact(place, 'reporting', 'riskrun.loaded', `run/${company.key}-${run}-${input}`, day(0, 6) + MINUTE, {
          keys,
          attributes: { input },
        });
    }
    return [['DC-04', run]];
  },
  'job-switched-off': (place) => {
    const subject = named(place, 'ir.cron');
    fact(place, 'odoo', 'cron.failed', subject, place.day(0, 10));
    fact(place, 'odoo', 'cron.succeeded', subject, place.day(0, 15));
    return [['IN-05', subject]];
  },
};

/** Working days that a failure needs before the end, so that all of its deadlines have passed. */
const ROOM = 34;

/**
 * Plants every failure `each` times in every company, on working days spread over the past; returns the truth, each thing that
 * must be said once.
 */
export function plantFailures(
  land: Landscape,
  companies: readonly Company[],
  { now, workdays, each }: { now: number; workdays: number; each: number },
): Failure[] {
  const truth = new Map<string, Failure>();
  for (const company of companies) {
    for (let i = 0; i < each; i += 1)
      for (const [fault, plant] of Object.entries(FAILURES)) {
        const first = land.random.int(ROOM, Math.max(ROOM, workdays - 3));
        const day = (after: number, hour: number): number => workdayBefore(company, now, first - after, hour);
        for (const [rule, subject] of plant({ land, company, companies, day })) {
          const said = { rule, company: company.key, subject, fault };
          truth.set(JSON.stringify([rule, company.key, subject]), said);
        }
      }
  }
  return [...truth.values()];
}
