/** What must never be in a prompt, found by shape and checksum. */
export type Tripped = 'iban' | 'card' | 'e-mail' | 'secret';

const IBAN = /(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?![A-Z0-9])/gi;
const CARD = /(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]\d|\d)/g;
const EMAIL = /[\w.+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+/i;
const SECRETS = [
  /\bBearer\s+[\w.~+/-]{16,}/i,
  /\b(sk|pk|rk|ghp|gho|glpat|xox[abeoprs]|xapp|cwt?)[-_][\w-]{16,}/,
  /\bAKIA[0-9A-Z]{16}\b/,
  /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
];

/** Is it an IBAN by its check digits (ISO 13616, mod 97)? Blanks and dashes do not matter. */
export function isIban(text: string): boolean {
  const iban = text.replace(/[ -]/g, '').toUpperCase();
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(iban)) return false;
  const digits = (iban.slice(4) + iban.slice(0, 4)).replace(/[A-Z]/g, (letter) =>
    String(letter.charCodeAt(0) - 55),
  );
  let rest = 0;
  for (const digit of digits) rest = (rest * 10 + Number(digit)) % 97;
  return rest === 1;
}

/** Is it a payment card's number by its check digit (ISO/IEC 7812, Luhn)? */
export function isCard(text: string): boolean {
  const digits = text.replace(/[ -]/g, '');
  if (!/^[2-6]\d{12,18}$/.test(digits)) return false;
  const sum = [...digits].reverse().reduce((total, digit, at) => {
    const twice = Number(digit) * (at % 2 === 1 ? 2 : 1);
    return total + (twice > 9 ? twice - 9 : twice);
  }, 0);
  return sum % 10 === 0;
}

/** A match may have swallowed a word that follows: every shorter reading counts too. */
function someIban(found: string): boolean {
  for (let end = found.length; end >= 15; end -= 1) if (isIban(found.slice(0, end))) return true;
  return false;
}

/** What of that a text holds; nothing for a text that may be sent. */
export function tripwire(text: string): Tripped[] {
  const tripped: Tripped[] = [];
  if ([...text.matchAll(IBAN)].some(([found]) => someIban(found))) tripped.push('iban');
  if ([...text.matchAll(CARD)].some(([found]) => isCard(found))) tripped.push('card');
  if (EMAIL.test(text)) tripped.push('e-mail');
  if (SECRETS.some((pattern) => pattern.test(text))) tripped.push('secret');
  return tripped;
}
