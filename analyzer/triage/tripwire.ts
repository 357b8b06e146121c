import { isCard, isIban } from '../../model/account-numbers.ts';

/** What must never be in a prompt, found by shape and checksum. */
export type Tripped = 'iban' | 'card' | 'vat' | 'e-mail' | 'secret';

/*
 * A prompt is read whole, so every pattern costs a number of steps that grows with the text and no faster: what repeats
 * is bounded or cannot begin again within itself. Numbers are looked for from every beginning (the look-ahead takes
 * nothing away), so that a word before one does not hide it.
 */
const IBAN = /(?<![A-Z0-9])(?=([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}))/gi;
const CARD = /(?<![A-Z0-9.])(?=(\d{4}(?:[ -]?\d){8,15}))/gi;
/** A reading ends where a word ends: no part of a hash is one. To a number its decimals belong. */
const WORD_END = /^(?![A-Z0-9])/i;
const NUMBER_END = /^(?![A-Z0-9]|\.\d)/i;
/** VAT identification numbers with their prefix (Directive 2006/112/EC, article 215; GB, XI, CH, NO besides). */
const VAT =
  /(?<![A-Z0-9])(ATU ?\d{8}|BE ?[01]\d{9}|BG ?\d{9,10}|CY ?\d{8}[A-Z]|CZ ?\d{8,10}|(DE|EE|EL|PT) ?\d{9}|(DK|FI|HU|LU|MT|SI) ?\d{8}|ES ?([A-Z]\d{7}[A-Z0-9]|\d{8}[A-Z])|FR ?[A-HJ-NP-Z0-9]{2} ?\d{9}|(GB|XI) ?\d{9}(\d{3})?|(HR|IT|LV) ?\d{11}|IE ?\d[A-Z0-9+*]\d{5}[A-Z]{1,2}|LT ?(\d{9}|\d{12})|NL ?\d{9}B\d{2}|(PL|SK) ?\d{10}|RO ?\d{6,10}|SE ?\d{10}01|CHE[ -]?\d{3}\.?\d{3}\.?\d{3}|NO ?\d{9} ?MVA)(?![A-Z0-9])/i;
const EMAIL = /[\p{L}\p{N}_.+-]@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+/u;
const SECRETS = [
  /\bBearer\s+[\w.~+/-]{16}/i,
  /\b(sk|pk|rk|ghp|gho|glpat|xox[abeoprs]|xapp|cwt?)[-_](?=[\w-]{0,100}[0-9A-Z])[\w-]{16}/,
  /\bAKIA[0-9A-Z]{16}\b/,
  /[\w-]{8}\.eyJ[\w-]{8,}\./,
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----/,
];
/** Pseudonyms and UUIDs: digits and letters that say nothing, and now and then look like something. */
const OPAQUE =
  /\b(party|actor|document)-[0-9a-f]{12}\b|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;

/** Is there a beginning of `pattern`, with an end where one may be, that holds? */
function someReading(
  text: string,
  pattern: RegExp,
  { end, holds }: { end: RegExp; holds: (reading: string) => boolean },
): boolean {
  for (const { index, 1: longest = '' } of text.matchAll(pattern)) {
    for (let length = longest.length; length >= 13; length -= 1) {
      const next = index + length;
      if (end.test(text.slice(next, next + 2)) && holds(longest.slice(0, length))) return true;
    }
  }
  return false;
}

/** What of that a text holds; nothing for a text that may be sent. */
export function tripwire(text: string): Tripped[] {
  const read = text.replace(OPAQUE, '<id>');
  const tripped: Tripped[] = [];
  if (someReading(read, IBAN, { end: WORD_END, holds: isIban })) tripped.push('iban');
  if (someReading(read, CARD, { end: NUMBER_END, holds: isCard })) tripped.push('card');
  if (VAT.test(read)) tripped.push('vat');
  if (EMAIL.test(read)) tripped.push('e-mail');
  if (SECRETS.some((pattern) => pattern.test(read))) tripped.push('secret');
  return tripped;
}
