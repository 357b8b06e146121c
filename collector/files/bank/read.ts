import { sumAmounts } from '../../../model/money.ts';
import { formatInstant } from '../../../model/time.ts';
import { accountText } from '../../account-stand-ins.ts';
import type { BankOptions, ReadOptions, StatementFacts } from '../format.ts';
import { IdenticalRows } from '../identical-rows.ts';
import { bad, type Item, type Told } from '../item.ts';
import type { LogFile } from '../log-file.ts';
import { wrongTime } from '../row-event.ts';
import { timeReader } from '../times.ts';
import { chainOf, compareStatements, follows, unbrokenUpTo } from './chain.ts';
import { type Facts, factOf, idOf, lineId, lineOf, paymentsOf, wrongDetails } from './facts.ts';
import { maskedAccount } from './privacy.ts';
import type { Entry, FaultyEntry, Part } from './statement.ts';
import { type Survey, surveyOf } from './survey.ts';

/** Statements whose order of pages and days is known: the stored ones of an account, and those of the file. */
type Chains = ReadonlyMap<string, readonly StatementFacts[]>;

interface Reading {
  readonly source: string;
  readonly bank: BankOptions;
  readonly now: bigint;
  readonly time: (text: string) => bigint | string;
  readonly surveys: readonly Survey[];
  /** Statements that stand in the file a second time, by their place. */
  readonly repeated: ReadonlySet<number>;
  readonly chains: Chains;
  readonly identical: IdenticalRows;
  readonly sequence: () => string;
}

const accountKeyOf = ({ bank }: { bank: BankOptions }, account: string): string =>
  bank.pseudonym('account', accountText(account));

/** What names a statement: the same again, with another message id, is the same. */
function factsOf({ statement }: Survey, source: string, accountKey: string): StatementFacts | undefined {
  const { opening, closing, number } = statement;
  if (statement.kind !== 'statement' || !opening || !closing) return undefined;
  const said = [
    source,
    'bankstatement',
    accountKey,
    closing.date,
    number,
    opening.amount,
    closing.amount,
    closing.currency,
  ];
  return {
    id: idOf(said, new IdenticalRows()),
    number,
    currency: closing.currency,
    opening: opening.amount,
    closing: closing.amount,
    closingDate: closing.date,
  };
}

const chainKey = (accountKey: string, currency: string): string => `${accountKey}\n${currency}`;

async function chainsOf(reading: Pick<Reading, 'bank' | 'source' | 'surveys'>): Promise<Chains> {
  const { bank, source, surveys } = reading;
  const all = new Map<string, StatementFacts[]>();
  const asked = new Set<string>();
  const add = (accountKey: string, one: StatementFacts): void => {
    const key = chainKey(accountKey, one.currency);
    all.set(key, [...(all.get(key) ?? []), one]);
  };
  for (const survey of surveys) {
    const accountKey = accountKeyOf(reading, survey.statement.account);
    const facts = survey.wrong === undefined ? factsOf(survey, source, accountKey) : undefined;
    if (!facts) continue;
    add(accountKey, facts);
    if (asked.has(accountKey)) continue;
    asked.add(accountKey);
    for (const stored of await bank.storedStatements(accountKey)) add(accountKey, stored);
  }
  return new Map([...all].map(([key, statements]) => [key, chainOf(statements)]));
}

function repeatedOf(
  surveys: readonly Survey[],
  source: string,
  keyOf: (account: string) => string,
): Set<number> {
  const seen = new Set<string>();
  const repeated = new Set<number>();
  for (const [i, survey] of surveys.entries()) {
    const id = factsOf(survey, source, keyOf(survey.statement.account))?.id;
    if (id === undefined) continue;
    if (seen.has(id)) repeated.add(i);
    seen.add(id);
  }
  return repeated;
}

const factsFor = (reading: Reading, index: number): Facts | undefined => {
  const statement = reading.surveys[index]?.statement;
  if (!statement) return undefined;
  const { source, bank, identical, sequence } = reading;
  return {
    source,
    bank,
    statement,
    accountKey: accountKeyOf(reading, statement.account),
    identical,
    sequence,
  };
};

const placeOf = (survey: Survey | undefined, index: number): string =>
  `${survey?.statement.kind ?? 'statement'} ${(survey?.statement.number ?? '').slice(0, 40)} (${index + 1})`;

/** The events of an entry, or why there are none. */
function* entryItems(entry: Entry | FaultyEntry, index: number, reading: Reading): Generator<Item> {
  const survey = reading.surveys[index];
  const facts = factsFor(reading, index);
  const where = `${placeOf(survey, index)}, entry ${entry.number}`;
  if (!survey || !facts || survey.wrong !== undefined || reading.repeated.has(index)) {
    yield { where, result: { skipped: true } };
    return;
  }
  if ('problem' in entry) {
    yield { where, result: bad(entry.reason, entry.problem) };
    return;
  }
  if (!entry.isBooked) {
    yield { where, result: { skipped: true } };
    return;
  }
  const bookedOn = entry.bookedOn ?? entry.valueDate ?? survey.statement.closing?.date;
  if (bookedOn === undefined) {
    yield { where, result: bad('time', 'has no booking date') };
    return;
  }
  const at = reading.time(bookedOn);
  const wrong = typeof at === 'string' ? at : wrongTime(at, reading.now);
  if (typeof at === 'string' || wrong) {
    yield { where, result: bad('time', `booking date: ${wrong}`) };
    return;
  }
  const bookingDate = bookedOn.slice(0, 10);
  const isFlipped = survey.isFlipped && entry.isReversal;
  const unfit = wrongDetails(entry);
  const booked = {
    id: lineId(entry, bookingDate, facts),
    at,
    bookingDate,
    isCredit: entry.isCredit !== isFlipped,
    wrong: unfit,
  };
  yield { where, result: lineOf(entry, booked, facts) };
  for (const told of paymentsOf(entry, booked, facts)) yield { where, result: told };
  if (unfit) yield { where, result: bad('details', `${unfit}: its line is stored, its payments are not`) };
}

const dayAfter = (date: string): string => new Date(Date.parse(date) + 86_400_000).toISOString().slice(0, 10);

/** When the day of the closing balance is over: the same for a statement that is made again. Without one, when it was made. */
function timeOfStatement({ statement }: Survey, reading: Reading): bigint | undefined {
  const { closing, createdAt } = statement;
  for (const text of [closing && dayAfter(closing.date), closing?.date, createdAt]) {
    const at = text === undefined ? undefined : reading.time(text);
    if (typeof at === 'bigint' && !wrongTime(at, reading.now)) return at;
  }
  return undefined;
}

/** What is told of a statement when its entries are through. */
function* statementItems(index: number, reading: Reading): Generator<Item> {
  const survey = reading.surveys[index];
  const facts = factsFor(reading, index);
  const where = placeOf(survey, index);
  if (!survey || !facts) return;
  if (survey.wrong !== undefined) {
    yield { where, result: bad('totals', `${survey.wrong}; nothing of it is stored`) };
    return;
  }
  if (survey.statement.kind === 'notification') return;
  const at = timeOfStatement(survey, reading);
  if (at === undefined) {
    yield {
      where,
      result: bad('time', 'has neither the time of its making nor the date of its closing balance'),
    };
    return;
  }
  if (reading.repeated.has(index)) {
    yield { where, result: { skipped: true } };
    return;
  }
  yield { where, result: importedOf(survey, at, facts) };
  const gap = gapOf(survey, at, facts, reading.chains);
  if (gap) yield { where, result: gap };
}

function importedOf(survey: Survey, at: bigint, facts: Facts): Told {
  const { statement, count, credits, debits, isChecked } = survey;
  const { opening, closing, number, id } = statement;
  const known = factsOf(survey, facts.source, facts.accountKey);
  const said = [facts.source, 'bankstatement', facts.accountKey, number, id, statement.createdAt ?? ''];
  return factOf(
    'bankstatement.imported',
    {
      kind: 'bankstatement',
      id: known?.id ?? idOf(said, new IdenticalRows()),
      at,
      docNumber: number,
      amount: closing && { amount: closing.amount, currency: closing.currency },
      keys: [{ type: 'account', value: facts.accountKey }],
      bookingDate: closing?.date,
      attributes: {
        number,
        statementId: id,
        opening: opening?.amount,
        openingDate: opening?.date,
        closing: closing?.amount,
        closingDate: closing?.date,
        entries: `${count}`,
        credits,
        debits,
        checked: `${isChecked}`,
      },
      control: {
        controlTotals: { count, sum: sumAmounts([credits, debits === '0' ? '0' : `-${debits}`]) },
        batchId: id,
        windowStart: opening?.date,
        windowEnd: closing?.date,
      },
    },
    facts,
  );
}

/** `bankstatement.gapdetected`, when the statement does not open with what the one before it closed with. */
function gapOf(survey: Survey, at: bigint, facts: Facts, chains: Chains): Told | undefined {
  const own = factsOf(survey, facts.source, facts.accountKey);
  if (!own) return undefined;
  const chain = chains.get(chainKey(facts.accountKey, own.currency)) ?? [];
  const before = chain.findLast((one) => one.id !== own.id && compareStatements(one, own) < 0);
  if (!before || follows(before, own)) return undefined;
  return factOf(
    'bankstatement.gapdetected',
    {
      kind: 'bankstatement',
      id: idOf([facts.source, 'gap', own.id, before.id], new IdenticalRows()),
      about: own.id,
      at,
      docNumber: own.number,
      amount: { amount: sumAmounts([own.opening, negative(before.closing)]), currency: own.currency },
      keys: [{ type: 'account', value: facts.accountKey }],
      bookingDate: own.closingDate,
      attributes: {
        number: own.number,
        opening: own.opening,
        previousNumber: before.number,
        previousClosing: before.closing,
        previousClosingDate: before.closingDate,
      },
    },
    facts,
  );
}

const negative = (amount: string): string => (amount.startsWith('-') ? amount.slice(1) : `-${amount}`);

/** Up to when the accounts of the file are complete: the end of the day of the last statement before any gap. */
function completeUpTo(chains: Chains, time: Reading['time']): bigint {
  const [first] = [...chains.values()].map((chain) => unbrokenUpTo(chain) ?? '').sort();
  const at = first ? time(dayAfter(first)) : 0n;
  return typeof at === 'bigint' ? at : 0n;
}

/**
 * The facts of a file of bank statements or notifications: `statementline.imported`, `payment.*`,
 * `bankstatement.imported` and `bankstatement.gapdetected`. The file is read twice: whether a statement adds up is known
 * at its end only, and of one that does not nothing is stored.
 */
export async function* readBank(
  file: LogFile,
  options: ReadOptions,
  partsOf: (bytes: AsyncIterable<Buffer>) => AsyncIterable<Part>,
): AsyncGenerator<Item> {
  const { bank, source, now, note } = options;
  if (!bank) throw new TypeError('a bank statement needs its company');
  file.readTimes(2);
  const time = timeReader('iso', bank.timezone);
  const surveys = await surveyOf(partsOf(file.bytes()));
  const keyOf = (account: string): string => accountKeyOf({ bank }, account);
  const chains = await chainsOf({ bank, source, surveys });
  let sequence = 0;
  const reading: Reading = {
    source,
    bank,
    now,
    time,
    surveys,
    repeated: repeatedOf(surveys, source, keyOf),
    chains,
    identical: new IdenticalRows(),
    sequence: () => `${++sequence}`,
  };
  for await (const part of partsOf(file.bytes())) {
    if ('end' in part) yield* statementItems(part.statement, reading);
    else yield* entryItems(part.entry, part.statement, reading);
  }
  tell(reading, note);
  const complete = completeUpTo(chains, time);
  options.complete(complete);
  if (complete > 0n) note(`the source is complete up to ${formatInstant(complete)}`);
}

/** What people should know of the statements beside their faults. */
function tell({ surveys, repeated }: Reading, note: (text: string) => void): void {
  for (const [i, survey] of surveys.entries()) {
    const { statement, wrong, isFlipped, isChecked } = survey;
    if (wrong !== undefined) continue;
    const name = `${placeOf(survey, i)} of ${maskedAccount(statement.account)}`;
    if (repeated.has(i)) note(`${name} stands in the file twice`);
    if (isFlipped) note(`${name}: reversals were taken the other way round; only so it adds up`);
    if (statement.kind === 'statement' && !isChecked)
      note(`${name} has no opening or closing balance: its entries could not be checked`);
  }
}
