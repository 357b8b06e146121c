import { isIban } from '../../../model/account-numbers.ts';
import { decimalText } from '../../../model/money.ts';
import { calendarDate } from '../../../model/time.ts';
import type { FormatReader } from '../format.ts';
import { informationOf } from './mt940-details.ts';
import { type Field, fieldsOf } from './mt940-fields.ts';
import { readBank } from './read.ts';
import type { Balance, Entry, FaultyEntry, Part, Statement } from './statement.ts';

/** `20260531` of `260531`: banks wrote such files from the eighties on. */
const yearOf = (short: string): string => `${Number(short) >= 80 ? '19' : '20'}${short}`;

function dateOf(text: string): string | undefined {
  const date = `${yearOf(text.slice(0, 2))}-${text.slice(2, 4)}-${text.slice(4, 6)}`;
  return calendarDate.safeParse(date).success ? date : undefined;
}

/** Decimal text of `1234,5`; undefined when it is none. */
function amountOf(text: string): string | undefined {
  const plain = text.replace(',', '.').replace(/\.$/, '');
  return decimalText.safeParse(plain).success ? plain : undefined;
}

/** A balance `C260531EUR1234,56`. */
function balanceOf(text: string): Balance | undefined {
  const [, mark, day = '', currency = '', digits = ''] =
    /^([CD])(\d{6})([A-Z]{3})(\d+,?\d*)$/.exec(text.trim()) ?? [];
  const [amount, date] = [amountOf(digits), dateOf(day)];
  if (mark === undefined || amount === undefined || date === undefined) return undefined;
  return { amount: mark === 'D' && /[1-9]/.test(amount) ? `-${amount}` : amount, currency, date };
}

/** The account of field 25: an IBAN or bank code and number, without the currency that some banks put behind. */
function accountOf(text: string): string {
  const trimmed = text.trim();
  const bare = trimmed.replace(/\s*[A-Z]{3}$/, '');
  return isIban(trimmed) || !isIban(bare) ? trimmed : bare;
}

/**
 * Value date, booking day, mark (`RC` takes a credit back, `E…` is only expected), the last letter of the currency,
 * amount, code, reference of the owner, of the bank.
 */
const LINE =
  /^(\d{6})(\d{4})?(E[CD]|R?[CD])([A-Z])?(\d{1,15}(?:,\d{0,6})?)([A-Z][A-Z0-9]{3})(.*?)(?:\/\/(.*))?$/;

/** The booking date of `MMDD`, in the year that brings it nearest to the value date. */
function bookedOf(day: string | undefined, valueDate: string): string {
  if (day === undefined) return valueDate;
  const [year, value] = [Number(valueDate.slice(0, 4)), Date.parse(valueDate)];
  const days = [year - 1, year, year + 1]
    .map((one) => `${one}-${day.slice(0, 2)}-${day.slice(2)}`)
    .filter((date) => calendarDate.safeParse(date).success);
  const distance = (date: string): number => Math.abs(Date.parse(date) - value);
  return days.sort((a, b) => distance(a) - distance(b))[0] ?? valueDate;
}

const reference = (text: string | undefined): string | undefined =>
  text && !/^NON ?REF$/i.test(text.trim()) ? text.trim() || undefined : undefined;

function entryOf(
  line: Field,
  information: Field | undefined,
  number: number,
  currency: string | undefined,
): Entry | FaultyEntry {
  const [head = '', ...more] = line.lines;
  const [, day = '', entryDay, mark = '', , digits = '', code = '', own, ofBank] =
    LINE.exec(head.trim()) ?? [];
  const [valueDate, amount] = [dateOf(day), amountOf(digits)];
  if (mark === '' || amount === undefined)
    return { number, reason: 'unreadable', problem: ':61: is no statement line of SWIFT' };
  if (valueDate === undefined) return { number, reason: 'time', problem: ':61: its value date is none' };
  if (currency === undefined)
    return {
      number,
      reason: 'currency',
      problem: ':61: comes before the opening balance, which tells the currency',
    };
  const told = informationOf(information?.lines ?? []);
  const isBack = told.returned !== undefined || code === 'NRTI' || code === 'FRTI';
  return {
    number,
    amount: { amount, currency },
    isCredit: mark === 'C' || mark === 'RD' || mark === 'EC',
    isReversal: mark.startsWith('R'),
    isBooked: !mark.startsWith('E'),
    bookedOn: bookedOf(entryDay, valueDate),
    valueDate,
    bankReference: reference(ofBank),
    code,
    proprietaryCode: told.code,
    text: [told.title, more.join(' ').trim()].filter(Boolean).join(' ') || undefined,
    batchIds: [],
    details: [
      {
        ...told,
        instructionId: told.instructionId ?? reference(own),
        returned: isBack ? (told.returned ?? {}) : undefined,
      },
    ],
  };
}

/** Gathers the fields of one message. */
class Message {
  #entries = 0;
  #line: Field | undefined;
  #currency: string | undefined;
  readonly #number: number;
  readonly #told = { id: '', number: '', account: '' };
  #opening: Balance | undefined;
  #closing: Balance | undefined;
  #problem: string | undefined;

  constructor(number: number) {
    this.#number = number;
  }

  /** Takes a field; returns the entry that is complete with it. */
  take(field: Field): Part | undefined {
    const [text = ''] = field.lines;
    const isOfLine = field.tag === '86' && this.#line !== undefined;
    const done = isOfLine ? this.#entry(field) : this.#rest();
    switch (field.tag) {
      case '20':
        this.#told.id = text.trim();
        break;
      case '25':
      case '25P':
        this.#told.account = accountOf(text);
        break;
      case '28C':
      case '28':
        this.#told.number = text.trim();
        break;
      case '60F':
      case '60M':
        this.#opening = this.#balance(field.tag, text);
        this.#currency = this.#opening?.currency;
        break;
      case '62F':
      case '62M':
        this.#closing = this.#balance(field.tag, text);
        break;
      case '61':
        this.#line = field;
    }
    return done;
  }

  #balance(tag: string, text: string): Balance | undefined {
    const balance = balanceOf(text);
    if (!balance) this.#problem ??= `:${tag}: is no balance: mark, date, currency, amount`;
    return balance;
  }

  #entry(information: Field | undefined): Part | undefined {
    if (!this.#line) return undefined;
    const entry = entryOf(this.#line, information, ++this.#entries, this.#currency);
    this.#line = undefined;
    return { statement: this.#number, entry };
  }

  /** The line whose information never came. */
  #rest(): Part | undefined {
    return this.#entry(undefined);
  }

  *end(): Generator<Part> {
    const left = this.#rest();
    if (left) yield left;
    const { id, number, account } = this.#told;
    const end: Statement = {
      kind: 'statement',
      id,
      number: number || id,
      account,
      currency: this.#currency,
      opening: this.#opening,
      closing: this.#closing,
      problem: this.#problem ?? (account === '' ? ':25: the account is missing' : undefined),
    };
    yield { statement: this.#number, end };
  }
}

/** The statements of a file of MT940 messages. */
export async function* mt940Parts(bytes: AsyncIterable<Buffer>): AsyncGenerator<Part> {
  let message: Message | undefined;
  let number = -1;
  for await (const field of fieldsOf(bytes)) {
    if (field.message !== number) {
      if (message) yield* message.end();
      number = field.message;
      message = new Message(number);
    }
    const part = message?.take(field);
    if (part) yield part;
  }
  if (message) yield* message.end();
}

export const mt940Format: FormatReader = {
  format: 'mt940',
  title: 'bank statement, SWIFT MT940',
  hasRows: false,
  endings: ['mt940', '940', 'sta', 'swi'],
  shows: (head) =>
    /^\ufeff?\s*(?:\{1:[^}]*\}[\s\S]{0,400}?)?:20:[^\n]*\r?\n(?:[\s\S]*\n)?:25P?:/.test(head.toString()),
  read: (file, options) => readBank(file, options, mt940Parts),
};
