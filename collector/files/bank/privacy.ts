import { isIban } from '../../../model/account-numbers.ts';
import { accountText } from '../../account-stand-ins.ts';

/** An account as people may see it: of an IBAN the country and the last four, of another number the last four at most. */
export function maskedAccount(account: string): string {
  const plain = accountText(account);
  const shown = plain.length > 8 ? plain.slice(-4) : '';
  return `${isIban(plain) ? plain.slice(0, 2) : ''}…${shown}`;
}

/** One text for a name however it is written. */
export const nameText = (name: string): string =>
  name.normalize('NFKC').toUpperCase().replace(/\s+/g, ' ').trim();

const NUMBER = /(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{1,4}){3,8}/gi;
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** The IBAN that the text begins with, as it stands there; undefined for none. */
function leadingIban(text: string): string | undefined {
  for (let end = text.length; end >= 15; end--) {
    const part = text.slice(0, end);
    if (/[A-Z0-9]$/i.test(part) && isIban(part)) return part;
  }
  return undefined;
}

/** A free text without the names that it was sent with, and with masked IBANs. */
export function scrubbed(text: string, names: readonly (string | undefined)[]): string {
  let clean = text.replace(NUMBER, (found) => {
    const iban = leadingIban(found);
    return iban ? `${maskedAccount(iban)}${found.slice(iban.length)}` : found;
  });
  for (const name of names) {
    if (!name || name.trim().length < 3) continue;
    const words = name.trim().split(/\s+/).map(escaped);
    clean = clean.replace(new RegExp(words.join('\\s*'), 'gi'), '…');
  }
  return clean;
}
