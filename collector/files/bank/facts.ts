import { createHash } from 'node:crypto';
import type { Key } from '../../../model/key.ts';
import { canonicalAmount, compareAmounts, sumAmounts } from '../../../model/money.ts';
import { formatInstant } from '../../../model/time.ts';
import { accountText } from '../../account-stand-ins.ts';
import type { BankOptions } from '../format.ts';
import type { IdenticalRows } from '../identical-rows.ts';
import type { NewEvent, Told } from '../item.ts';
import { maskedAccount, nameText, scrubbed } from './privacy.ts';
import { paymentReferences } from './references.ts';
import type { Detail, Entry, Statement } from './statement.ts';
import { signed } from './survey.ts';

/** What the events of an account have in common. */
export interface Facts {
  readonly source: string;
  readonly bank: BankOptions;
  readonly statement: Statement;
  readonly accountKey: string;
  /** Numbers lines, and payments, that are alike in everything that names them. */
  readonly identical: IdenticalRows;
  /** Orders the events of the file. */
  readonly sequence: () => string;
}

const sha256 = (said: unknown): Buffer => createHash('sha256').update(JSON.stringify(said)).digest();

/** The id of a fact by what names it; the second of those that are alike gets another one. */
export function idOf(said: readonly unknown[], identical: IdenticalRows): string {
  const first = sha256(said);
  const same = identical.next(first);
  return same === 0 ? first.toString('hex') : sha256([...said, same]).toString('hex');
}

/** Texts that are there. */
const filled = (texts: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(texts).flatMap(([name, text]) => (text ? [[name, text.slice(0, 8192)]] : [])),
  );

const isProvided = (id: string | undefined): id is string =>
  id !== undefined && id !== '' && !/^(?:NOT ?PROVIDED|NON ?REF|NONE)$/i.test(id);

const keyOf = (type: string, value: string | undefined): Key[] =>
  isProvided(value) ? [{ type, value: value.slice(0, 512) }] : [];

const namesOf = (detail: Detail | undefined): (string | undefined)[] => [
  detail?.party?.name,
  detail?.party?.account,
];

/** The keys of a payment, its batch last. */
const keysOf = (detail: Detail): Key[] => {
  const { structured, unstructured } = detail;
  const references = paymentReferences(structured, scrubbed(unstructured, namesOf(detail)));
  return [
    ...keyOf('e2e', detail.endToEndId),
    ...keyOf('uetr', detail.uetr),
    ...references,
    ...detail.batchIds.flatMap((id) => keyOf('batch', id)),
  ];
};

/** Each key once. */
const onceEach = (keys: readonly Key[]): Key[] => [
  ...new Map(keys.map((key) => [`${key.type}\n${key.value}`, key])).values(),
];

/** The other party's stand-in: by its account, else by its name. What it stands for goes to the register of parties. */
function partyKeyOf(detail: Detail | undefined, { bank }: Facts): string | undefined {
  const { name, account } = detail?.party ?? {};
  if (!name && !account) return undefined;
  const partyKey = bank.pseudonym('party', account ? accountText(account) : nameText(name ?? ''));
  bank.party({ partyKey, name, account: account && maskedAccount(account) });
  return partyKey;
}

interface Common {
  readonly kind: string;
  readonly id: string;
  /** Id of the fact that it is about, when that is another one. */
  readonly about?: string;
  readonly at: bigint;
  readonly docNumber?: string | undefined;
  readonly amount?: { readonly amount: string; readonly currency: string } | undefined;
  readonly partyKey?: string | undefined;
  readonly keys: readonly Key[];
  readonly bookingDate?: string | undefined;
  readonly valueDate?: string | undefined;
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly control?: object | undefined;
  readonly lines?: readonly object[] | undefined;
}

/** An event of the account; `type` is `<kind>.<fact>`, its subject is `<kind>/<beginning of the id of what it is about>`. */
export function factOf(type: string, common: Common, facts: Facts): Told {
  const { source, bank, accountKey, statement, sequence } = facts;
  const { kind, id, at, docNumber, amount, partyKey, bookingDate, valueDate, control, lines } = common;
  const keys = onceEach(common.keys);
  const period = bookingDate?.slice(0, 7);
  const data = {
    object: { kind, docNumber },
    org: { companyKey: bank.company, journalKey: bank.journal, period },
    party: partyKey ? { partyKey } : undefined,
    money: amount,
    dates: { accountingDate: bookingDate, valueDate },
    keys,
    lines,
    control,
  };
  const event: NewEvent = {
    id,
    source,
    type,
    version: 1,
    time: formatInstant(at),
    sequence: sequence(),
    company: bank.company,
    subject: `${kind}/${(common.about ?? id).slice(0, 24)}`,
    ingestPath: 'file',
    docNumber: docNumber?.slice(0, 1024),
    period,
    partyKey,
    amount: amount?.amount,
    currency: amount?.currency,
    keys: keys.map(({ type, value }) => ({ type, value })),
    attributes: filled({
      account: maskedAccount(statement.account),
      accountKey,
      journal: bank.journal,
      bookingDate,
      valueDate,
      ...common.attributes,
    }),
    data: JSON.stringify(data),
  };
  return { event, at };
}

/** What names a line when the bank gives it no reference. */
function contentOf(entry: Entry, facts: Facts): unknown[] {
  const { bank } = facts;
  return entry.details.map((detail) => [
    detail.endToEndId ?? '',
    detail.transactionId ?? '',
    detail.mandateId ?? '',
    detail.structured,
    // Names and accounts may stand in it: the stand-in of the whole text.
    bank.pseudonym('party', detail.unstructured),
    detail.party?.account ? bank.pseudonym('account', accountText(detail.party.account)) : '',
  ]);
}

/**
 * The id of a line: the bank's own reference with account, booking date, amount and direction, so that a notification
 * and the statement that follows tell the same line; without a reference all that the bank says of it instead.
 */
export function lineId(entry: Entry, bookingDate: string, facts: Facts): string {
  const { amount, currency } = entry.amount;
  const named = isProvided(entry.bankReference)
    ? ['reference', entry.bankReference]
    : [
        'content',
        entry.valueDate ?? '',
        entry.code ?? '',
        entry.proprietaryCode ?? '',
        contentOf(entry, facts),
      ];
  const direction = [entry.isCredit, entry.isReversal];
  return idOf(
    [
      facts.source,
      'statementline',
      facts.accountKey,
      bookingDate,
      canonicalAmount(amount),
      currency,
      direction,
      named,
    ],
    facts.identical,
  );
}

/** What is wrong with the payments of an entry: they must be as many as it says, and their sum its amount. */
export function wrongDetails({ details, amount, isCredit, batchCount, charges }: Entry): string | undefined {
  if (details.length < 2) return undefined;
  if (batchCount !== undefined && batchCount !== details.length)
    return `says ${batchCount} payments and has ${details.length}`;
  if (details.some((detail) => detail.amount?.currency !== amount.currency)) return undefined;
  const sum = sumAmounts(
    details.map((detail) => signed(detail.amount?.amount ?? '0', (detail.isCredit ?? isCredit) === isCredit)),
  );
  const off = sumAmounts([sum, `-${amount.amount}`]);
  if (compareAmounts(off, '0') === 0) return undefined;
  const isOfCharges = charges && compareAmounts(off.replace('-', ''), charges.amount) === 0;
  return isOfCharges
    ? undefined
    : `its payments sum up to ${sum}, its amount is ${amount.amount} ${amount.currency}`;
}

interface Booked {
  readonly id: string;
  readonly at: bigint;
  readonly bookingDate: string;
  /** Money came in, all told. */
  readonly isCredit: boolean;
  /** Its payments do not add up: the line stands, and they are left out. */
  readonly wrong: string | undefined;
}

/** The line of an entry: `statementline.imported`. */
export function lineOf(entry: Entry, booked: Booked, facts: Facts): Told {
  const { id, at, bookingDate, isCredit, wrong } = booked;
  const [first] = entry.details;
  const single = entry.details.length === 1 ? first : undefined;
  const batchIds = new Set([...entry.batchIds, ...entry.details.flatMap((detail) => detail.batchIds)]);
  const keys = [
    ...(single ? keysOf(single) : []),
    ...[...batchIds].slice(0, 20).flatMap((value) => keyOf('batch', value)),
    ...keyOf('extid', entry.bankReference),
  ];
  const { amount, currency } = entry.amount;
  const text = single?.unstructured || (entry.details.length === 0 ? entry.text : undefined);
  return factOf(
    'statementline.imported',
    {
      kind: 'statementline',
      id,
      at,
      bookingDate,
      valueDate: entry.valueDate,
      docNumber: entry.bankReference,
      amount: { amount: signed(amount, isCredit), currency },
      partyKey: partyKeyOf(single, facts),
      keys,
      attributes: {
        direction: isCredit ? 'in' : 'out',
        reversal: entry.isReversal ? 'true' : undefined,
        bankReference: entry.bankReference,
        bankTransactionCode: entry.code,
        proprietaryCode: entry.proprietaryCode,
        remittance: text && scrubbed(text, namesOf(single)),
        documents: single?.documents.join(' '),
        counterpartyAccount: single?.party?.account && maskedAccount(single.party.account),
        payments: entry.details.length > 1 ? `${entry.details.length}` : undefined,
        returnReason: single?.returned?.code,
      },
      lines:
        entry.details.length > 1 && !wrong
          ? entry.details.slice(0, MAX_LINES).map((detail) => lineOfDetail(detail, entry))
          : undefined,
    },
    facts,
  );
}

/** Payments of a batch that its line lists; each is an event of its own besides. */
const MAX_LINES = 10_000;

const lineOfDetail = (detail: Detail, entry: Entry) => ({
  amount:
    detail.amount && signed(detail.amount.amount, (detail.isCredit ?? entry.isCredit) === entry.isCredit),
  currency: detail.amount?.currency,
  e2e: detail.endToEndId,
  uetr: detail.uetr,
});

/** Is it a payment that somebody sent, and not only a movement? */
const isPayment = (detail: Detail): boolean =>
  detail.returned !== undefined || [detail.endToEndId, detail.uetr, ...detail.batchIds].some(isProvided);

/**
 * The payments of an entry: `payment.confirmed`; `payment.returned` when it came back, which return information or the
 * transaction code tells; `payment.rejected` when the bank took its own booking back without any. Amounts have no sign:
 * `direction` says which way the payment went.
 */
export function paymentsOf(entry: Entry, booked: Booked, facts: Facts): Told[] {
  if (booked.wrong) return [];
  return entry.details.filter(isPayment).map((detail) => {
    const amount = detail.amount ?? (entry.details.length === 1 ? entry.amount : undefined);
    const fact = detail.returned ? 'returned' : entry.isReversal ? 'rejected' : 'confirmed';
    const isIncoming = booked.isCredit === (fact === 'confirmed');
    // By its first id alone: a statement may say less of a payment than the notification before it.
    const named = [detail.endToEndId, detail.uetr, detail.transactionId, detail.instructionId].find(
      isProvided,
    );
    const id = idOf(
      [booked.id, 'payment', named ?? (amount && canonicalAmount(amount.amount)) ?? ''],
      facts.identical,
    );
    return factOf(
      `payment.${fact}`,
      {
        kind: 'payment',
        id,
        at: booked.at,
        bookingDate: booked.bookingDate,
        valueDate: entry.valueDate,
        docNumber: detail.bankReference ?? entry.bankReference,
        amount,
        partyKey: partyKeyOf(detail, facts),
        keys: [...keysOf(detail), ...entry.batchIds.flatMap((value) => keyOf('batch', value))],
        attributes: {
          direction: isIncoming ? 'in' : 'out',
          line: booked.id,
          bankTransactionCode: entry.code,
          instructionId: isProvided(detail.instructionId) ? detail.instructionId : undefined,
          transactionId: detail.transactionId,
          mandateId: detail.mandateId,
          remittance: detail.unstructured && scrubbed(detail.unstructured, namesOf(detail)),
          documents: detail.documents.join(' '),
          counterpartyAccount: detail.party?.account && maskedAccount(detail.party.account),
          returnReason: detail.returned?.code,
          returnText: detail.returned?.text && scrubbed(detail.returned.text, namesOf(detail)),
        },
      },
      facts,
    );
  });
}
