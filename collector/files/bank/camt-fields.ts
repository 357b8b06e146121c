import { currencyCode, decimalText } from '../../../model/money.ts';
import { calendarDate } from '../../../model/time.ts';
import type { Amount, Balance, Detail, Entry, FaultyEntry, Party, Statement } from './statement.ts';
import { nodeAt, nodesAt, textAt, type XmlNode } from './xml-tree.ts';

/** The amount of an element `<Amt Ccy="EUR">12.50</Amt>`; undefined when it is none. */
export function amountOf(node: XmlNode | undefined): Amount | undefined {
  const amount = decimalText.safeParse(node?.text ?? '');
  const currency = currencyCode.safeParse(node?.attributes.Ccy);
  if (!amount.success || !currency.success || /^[+-]/.test(amount.data)) return undefined;
  return { amount: amount.data, currency: currency.data };
}

const isTrue = (text: string | undefined): boolean => text === 'true' || text === '1';

function creditOf(node: XmlNode): boolean | undefined {
  const text = textAt(node, 'CdtDbtInd');
  return text === 'CRDT' ? true : text === 'DBIT' ? false : undefined;
}

const dateOf = (node: XmlNode, name: string): string | undefined =>
  textAt(node, `${name}/Dt`, `${name}/DtTm`);

const ACCOUNT = ['Id/IBAN', 'Id/Othr/Id', 'Id/PrtryAcct/Id', 'Id/BBAN', 'Prxy/Id'];

/** A party of a payment; from version 8 on it stands one element deeper. */
function partyOf(parties: XmlNode | undefined, role: 'Dbtr' | 'Cdtr', agents: XmlNode | undefined): Party {
  return {
    name: textAt(parties, `${role}/Pty/Nm`, `${role}/Nm`, `Ultmt${role}/Pty/Nm`, `Ultmt${role}/Nm`),
    account: ACCOUNT.map((path) => textAt(parties, `${role}Acct/${path}`)).find(Boolean),
    bic: textAt(agents, `${role}Agt/FinInstnId/BICFI`, `${role}Agt/FinInstnId/BIC`),
  };
}

/** A payment as the file tells it: both its parties, for which of them is the other one only the entry shows. */
export interface CamtDetail extends Detail {
  readonly debtor: Party;
  readonly creditor: Party;
}

/** The payment of a `TxDtls`. */
export function detailOf(node: XmlNode): CamtDetail {
  const refs = nodeAt(node, 'Refs');
  const parties = nodeAt(node, 'RltdPties');
  const agents = nodeAt(node, 'RltdAgts');
  const back = nodeAt(node, 'RtrInf');
  const batchIds = [textAt(refs, 'PmtInfId'), textAt(refs, 'MsgId')].filter((id) => id !== undefined);
  return {
    amount: amountOf(nodeAt(node, 'Amt')) ?? amountOf(nodeAt(node, 'AmtDtls/TxAmt/Amt')),
    isCredit: creditOf(node),
    endToEndId: textAt(refs, 'EndToEndId'),
    uetr: textAt(refs, 'UETR'),
    transactionId: textAt(refs, 'TxId'),
    instructionId: textAt(refs, 'InstrId'),
    batchIds,
    mandateId: textAt(refs, 'MndtId'),
    bankReference: textAt(refs, 'AcctSvcrRef'),
    debtor: partyOf(parties, 'Dbtr', agents),
    creditor: partyOf(parties, 'Cdtr', agents),
    structured: nodesAt(node, 'RmtInf/Strd/CdtrRefInf/Ref').map(({ text }) => text.trim()),
    unstructured: [
      ...nodesAt(node, 'RmtInf/Ustrd'),
      ...nodesAt(node, 'RmtInf/Strd/AddtlRmtInf'),
      ...nodesAt(node, 'AddtlTxInf'),
    ]
      .map(({ text }) => text.trim())
      .filter(Boolean)
      .join(' '),
    documents: nodesAt(node, 'RmtInf/Strd/RfrdDocInf/Nb').map(({ text }) => text.trim()),
    returned: back && {
      code: textAt(back, 'Rsn/Cd', 'Rsn/Prtry'),
      text: nodesAt(back, 'AddtlInf')
        .map(({ text }) => text.trim())
        .join(' '),
    },
  };
}

/** Which of the parties is not the owner of the account. */
function otherParty(detail: CamtDetail, isCredit: boolean): Party {
  const { debtor, creditor, returned } = detail;
  // What comes back names the parties of the payment that had gone out.
  return isCredit === (returned === undefined) ? debtor : creditor;
}

/** A bank transaction code of a family that says: this takes a payment back (external code set, sub-families). */
const RETURNS = /\/(?:RRTN|UPDD|UPCT|RPCR|PRDD|ARET)$/;

/** The entry of a `Ntry` and its payments. */
export function entryOf(node: XmlNode, number: number, details: readonly Detail[]): Entry | FaultyEntry {
  const amount = amountOf(nodeAt(node, 'Amt'));
  if (!amount)
    return {
      number,
      reason: 'amount',
      problem: 'Amt: is no amount without a sign, with its currency in Ccy',
    };
  const isCredit = creditOf(node);
  if (isCredit === undefined)
    return { number, reason: 'invalid', problem: 'CdtDbtInd: must be CRDT or DBIT' };
  const family = ['Domn/Cd', 'Domn/Fmly/Cd', 'Domn/Fmly/SubFmlyCd'].map((path) =>
    textAt(node, `BkTxCd/${path}`),
  );
  const code = family.every(Boolean) ? family.join('/') : undefined;
  const batch = nodeAt(node, 'NtryDtls/Btch');
  const count = Number(textAt(batch, 'NbOfTxs'));
  const status = textAt(node, 'Sts/Cd', 'Sts/Prtry', 'Sts');
  return {
    number,
    amount,
    isCredit,
    isReversal: isTrue(textAt(node, 'RvslInd')),
    isBooked: status === undefined || status === 'BOOK',
    bookedOn: dateOf(node, 'BookgDt'),
    valueDate: dateOf(node, 'ValDt')?.slice(0, 10),
    bankReference:
      textAt(node, 'AcctSvcrRef') ?? (details.length === 1 ? details[0]?.bankReference : undefined),
    code,
    proprietaryCode: textAt(node, 'BkTxCd/Prtry/Cd'),
    text: textAt(node, 'AddtlNtryInf'),
    charges:
      amountOf(nodeAt(node, 'Chrgs/TtlChrgsAndTaxAmt')) ??
      amountOf(nodeAt(node, 'Chrgs/Rcrd/Amt')) ??
      amountOf(nodeAt(node, 'Chrgs/Amt')),
    batchIds: [textAt(batch, 'PmtInfId'), textAt(batch, 'MsgId')].filter((id) => id !== undefined),
    batchCount: Number.isInteger(count) && count > 0 ? count : undefined,
    details: (details as readonly CamtDetail[]).map(({ debtor, creditor, ...detail }) => {
      const returned = detail.returned ?? (code && RETURNS.test(code) ? {} : undefined);
      return { ...detail, returned, party: otherParty({ debtor, creditor, ...detail, returned }, isCredit) };
    }),
  };
}

function balanceOf(node: XmlNode | undefined): Balance | undefined {
  const amount = amountOf(node && nodeAt(node, 'Amt'));
  const date = node && dateOf(node, 'Dt')?.slice(0, 10);
  if (!node || !amount || !calendarDate.safeParse(date).success) return undefined;
  const isOwed = creditOf(node) === false && !/^0*(\.0*)?$/.test(amount.amount);
  return { ...amount, amount: isOwed ? `-${amount.amount}` : amount.amount, date: date ?? '' };
}

/** The statement of a `Stmt` or `Ntfctn`, whose entries were taken out of it. */
export function statementOf(node: XmlNode, kind: Statement['kind'], place: number): Statement {
  const balances = nodesAt(node, 'Bal');
  const ofType = (...codes: string[]) =>
    codes.flatMap((code) => balances.filter((one) => textAt(one, 'Tp/CdOrPrtry/Cd') === code));
  const id = textAt(node, 'Id') ?? `${place}`;
  const account = ACCOUNT.map((path) => textAt(node, `Acct/${path}`)).find(Boolean) ?? '';
  const count = Number(textAt(node, 'TxsSummry/TtlNtries/NbOfNtries') ?? Number.NaN);
  // Of a statement in several pages the first opens with OPBD, later ones with an interim balance, and all but the last close so.
  const interim = ofType('ITBD');
  return {
    kind,
    id,
    number: textAt(node, 'LglSeqNb', 'ElctrncSeqNb') ?? id,
    account,
    currency: textAt(node, 'Acct/Ccy'),
    createdAt: textAt(node, 'CreDtTm'),
    opening: balanceOf(ofType('OPBD', 'PRCD')[0] ?? interim[0]),
    closing: balanceOf(ofType('CLBD')[0] ?? (interim.length > 0 ? interim.at(-1) : undefined)),
    totals: {
      count: Number.isNaN(count) ? undefined : count,
      credits: textAt(node, 'TxsSummry/TtlCdtNtries/Sum'),
      debits: textAt(node, 'TxsSummry/TtlDbtNtries/Sum'),
    },
    problem: account === '' ? 'Acct/Id: the account is missing' : undefined,
  };
}
