import { compareAmounts, sumAmounts } from '../../../model/money.ts';
import type { Entry, Part, Statement } from './statement.ts';

/** What a first reading finds of a statement. */
export interface Survey {
  readonly statement: Statement;
  /** Booked entries. */
  readonly count: number;
  readonly credits: string;
  readonly debits: string;
  /** Why it is refused; undefined when it adds up, or has no balances to tell. */
  readonly wrong?: string | undefined;
  /** Reversals carry the direction of what they take back: only so the statement adds up. */
  readonly isFlipped: boolean;
  /** Opening and closing balance were there and bore the entries out. */
  readonly isChecked: boolean;
}

interface Sums {
  count: number;
  all: number;
  credits: string;
  debits: string;
  /** Signed sum of the reversals among them. */
  reversals: string;
  currencies: Set<string>;
  faulty: number;
}

const negative = (amount: string): string => (amount.startsWith('-') ? amount.slice(1) : `-${amount}`);

export const signed = (amount: string, isCredit: boolean): string => (isCredit ? amount : negative(amount));

function add(sums: Sums, entry: Entry): void {
  sums.all++;
  if (!entry.isBooked) return;
  const { amount, currency } = entry.amount;
  sums.count++;
  sums.currencies.add(currency);
  if (entry.isCredit) sums.credits = sumAmounts([sums.credits, amount]);
  else sums.debits = sumAmounts([sums.debits, amount]);
  if (entry.isReversal) sums.reversals = sumAmounts([sums.reversals, signed(amount, entry.isCredit)]);
}

const isEqual = (a: string, b: string): boolean => compareAmounts(a, b) === 0;

/** What is wrong with what the bank counted; pending entries may be in it, so it is looked at only without them. */
function wrongTotals({ totals }: Statement, sums: Sums): string | undefined {
  if (!totals || sums.faulty > 0 || sums.all !== sums.count) return undefined;
  if (totals.count !== undefined && totals.count !== sums.count)
    return `says ${totals.count} entries and has ${sums.count}`;
  for (const side of ['credits', 'debits'] as const) {
    const told = totals[side];
    if (told !== undefined && /^\d+(\.\d+)?$/.test(told) && !isEqual(told, sums[side]))
      return `says ${side} of ${told} and has ${sums[side]}`;
  }
  return undefined;
}

function judged(statement: Statement, sums: Sums): Survey {
  const { opening, closing } = statement;
  const { count, credits, debits } = sums;
  const told = { statement, count, credits, debits, isFlipped: false, isChecked: false };
  if (statement.problem) return { ...told, wrong: statement.problem };
  const wrong = wrongTotals(statement, sums);
  if (wrong) return { ...told, wrong };
  if (!opening || !closing) return told;
  const currencies = new Set([...sums.currencies, opening.currency, closing.currency]);
  if (currencies.size > 1) return { ...told, wrong: `mixes currencies: ${[...currencies].join(', ')}` };
  const net = sumAmounts([credits, negative(debits)]);
  const reached = sumAmounts([opening.amount, net]);
  if (isEqual(reached, closing.amount)) return { ...told, isChecked: true };
  const other = sumAmounts([reached, negative(sums.reversals), negative(sums.reversals)]);
  if (isEqual(other, closing.amount)) return { ...told, isChecked: true, isFlipped: true };
  return {
    ...told,
    wrong: `does not add up: opening ${opening.amount} and entries of ${net} make ${reached}, the closing balance is ${closing.amount} ${closing.currency}${sums.faulty > 0 ? ` (${sums.faulty} entries cannot be read)` : ''}`,
  };
}

/** Reads a whole file of statements for their balances and sums: one survey a statement, in its order. */
export async function surveyOf(parts: AsyncIterable<Part>): Promise<Survey[]> {
  const surveys: Survey[] = [];
  const none = (): Sums => ({
    count: 0,
    all: 0,
    credits: '0',
    debits: '0',
    reversals: '0',
    currencies: new Set(),
    faulty: 0,
  });
  let sums = none();
  for await (const part of parts) {
    if ('end' in part) {
      surveys.push(judged(part.end, sums));
      sums = none();
    } else if ('problem' in part.entry) sums.faulty++;
    else add(sums, part.entry);
  }
  return surveys;
}
