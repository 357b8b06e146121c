import type { BadReason } from '../item.ts';

/** An amount without a sign, decimal text, and its currency. */
export interface Amount {
  readonly amount: string;
  readonly currency: string;
}

/** A balance with its sign: what the account owes is negative. */
export interface Balance extends Amount {
  /** `2026-05-31`. */
  readonly date: string;
}

export interface Party {
  readonly name?: string | undefined;
  /** IBAN or other number, as it was written. */
  readonly account?: string | undefined;
  readonly bic?: string | undefined;
}

/** One payment within an entry. */
export interface Detail {
  readonly amount?: Amount | undefined;
  /** Its own direction, where it is told. */
  readonly isCredit?: boolean | undefined;
  readonly endToEndId?: string | undefined;
  readonly uetr?: string | undefined;
  readonly transactionId?: string | undefined;
  readonly instructionId?: string | undefined;
  /** Ids of the batch that it was sent in: message, payment information. */
  readonly batchIds: readonly string[];
  readonly mandateId?: string | undefined;
  readonly bankReference?: string | undefined;
  readonly party?: Party | undefined;
  /** Creditor references that came in a field of their own. */
  readonly structured: readonly string[];
  readonly unstructured: string;
  /** Numbers of documents that the payment names. */
  readonly documents: readonly string[];
  readonly returned?: { readonly code?: string | undefined; readonly text?: string | undefined } | undefined;
}

/** A movement of the account as the bank booked it. */
export interface Entry {
  /** Counted from 1 within its statement. */
  readonly number: number;
  readonly amount: Amount;
  /** Money came in. */
  readonly isCredit: boolean;
  /** It takes an earlier entry back. */
  readonly isReversal: boolean;
  /** Pending ones and mere information are no facts of the account yet. */
  readonly isBooked: boolean;
  /** A date or an instant, as it was written. */
  readonly bookedOn?: string | undefined;
  readonly valueDate?: string | undefined;
  /** The bank's own reference of the entry. */
  readonly bankReference?: string | undefined;
  /** Bank transaction code: `PMNT/RCDT/ESCT`, `NTRF`. */
  readonly code?: string | undefined;
  readonly proprietaryCode?: string | undefined;
  readonly text?: string | undefined;
  readonly charges?: Amount | undefined;
  /** What the entry says of its batch. */
  readonly batchIds: readonly string[];
  readonly batchCount?: number | undefined;
  readonly details: readonly Detail[];
}

/** What cannot be read of an entry. */
export interface FaultyEntry {
  readonly number: number;
  readonly problem: string;
  readonly reason: BadReason;
}

/** A statement or notification of an account, without its entries. */
export interface Statement {
  readonly kind: 'statement' | 'notification';
  readonly id: string;
  /** The bank's number of it. */
  readonly number: string;
  readonly account: string;
  readonly currency: string | undefined;
  readonly createdAt?: string | undefined;
  readonly opening?: Balance | undefined;
  readonly closing?: Balance | undefined;
  /** What the bank counted. */
  readonly totals?: {
    readonly count?: number | undefined;
    readonly credits?: string | undefined;
    readonly debits?: string | undefined;
  };
  /** It cannot be used, and why. */
  readonly problem?: string | undefined;
}

/** What a file of statements holds, in its order; `statement` counts them from 0. */
export type Part =
  | { readonly statement: number; readonly entry: Entry | FaultyEntry }
  | { readonly statement: number; readonly end: Statement };
