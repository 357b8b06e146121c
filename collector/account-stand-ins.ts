import { createHmac } from 'node:crypto';
import type { Postgres } from '../store/postgres/database.ts';
import { keptSecret } from '../store/postgres/settings.ts';

/** A stand-in for an account, or for a party that is known by name alone: the same for the same text, however it came in. */
export type BankStandIn = (kind: 'account' | 'party', text: string) => string;

/** One text for an account however it is grouped, to make its stand-in of. */
export const accountText = (account: string): string => account.replace(/\s/g, '').toUpperCase();

/** Stand-ins under the key of this deployment: an account of a bank statement has the same as that of a supplier in Odoo. */
export async function openBankStandIns({ db }: Pick<Postgres, 'db'>, at: Date): Promise<BankStandIn> {
  const secret = await keptSecret(db, 'bank-pseudonym-key', at);
  return (kind, text) => createHmac('sha256', secret).update(`${kind}\0${text}`).digest('hex').slice(0, 32);
}
