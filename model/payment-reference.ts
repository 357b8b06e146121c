/**
 * Payment references that check themselves: the creditor reference (ISO 11649, `RF18 5390 0754 7034`) and the Belgian
 * structured communication (`+++090/9337/55493+++`).
 */
export function isStructuredReference(text: string): boolean {
  const kept = text
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[\s+*/.-]/g, '');
  return isCreditorReference(kept) || isStructuredCommunication(kept);
}

/** The remainder of a long decimal number divided by 97. */
const mod97 = (digits: string): number => Number(BigInt(digits) % 97n);

/** Letters count as numbers from 10 on, and the check digits go to the end: the remainder is 1. */
function isCreditorReference(text: string): boolean {
  if (!/^RF\d{2}[A-Z0-9]{1,21}$/.test(text)) return false;
  const moved = text.slice(4) + text.slice(0, 4);
  return mod97(moved.replace(/[A-Z]/g, (letter) => `${letter.charCodeAt(0) - 55}`)) === 1;
}

/** Ten digits and their remainder by 97, of which 0 is written 97. */
function isStructuredCommunication(text: string): boolean {
  return /^\d{12}$/.test(text) && (mod97(text.slice(0, 10)) || 97) === Number(text.slice(10));
}
