import type { Key } from '../../../model/key.ts';

/** The rest of a number of any length when it is divided by 97. */
function modulo97(digits: string): number {
  let rest = 0;
  for (const digit of digits) rest = (rest * 10 + Number(digit)) % 97;
  return rest;
}

/** Is it a creditor reference of ISO 11649: `RF18 5390 0754 7034`? */
export function isCreditorReference(text: string): boolean {
  const plain = text.replace(/\s/g, '').toUpperCase();
  if (!/^RF\d{2}[A-Z0-9]{1,21}$/.test(plain)) return false;
  const moved = plain.slice(4) + plain.slice(0, 4);
  return modulo97(moved.replace(/[A-Z]/g, (letter) => `${letter.charCodeAt(0) - 55}`)) === 1;
}

/** Is it a Belgian structured communication: ten digits and their rest by 97, 97 for none? */
export function isStructuredCommunication(text: string): boolean {
  const digits = text.replace(/[+*/.\s-]/g, '');
  if (!/^\d{12}$/.test(digits)) return false;
  return (modulo97(digits.slice(0, 10)) || 97) === Number(digits.slice(10));
}

const BELGIAN = /[+*]{3}\s*(\d{3}\/?\d{4}\/?\d{5})\s*[+*]{3}/g;
const CREDITOR = /\bRF\d{2}(?: ?[A-Z0-9]{1,4}){1,6}\b/gi;
/** Characters of a free text that may be a reference as a whole. */
const MAX_FREE = 140;

/** A structured reference without what people group it by. */
const plainOf = (text: string): string =>
  isStructuredCommunication(text) ? text.replace(/[+*/.\s-]/g, '') : text.replace(/\s/g, '').toUpperCase();

/** The longest beginning of the text, word by word, that is a creditor reference. */
function creditorReference(text: string): string | undefined {
  const words = text.split(' ');
  for (let count = words.length; count > 0; count--) {
    const candidate = words.slice(0, count).join('');
    if (isCreditorReference(candidate)) return candidate.toUpperCase();
  }
  return undefined;
}

/**
 * The payment references of a remittance as keys: exact where they came in a field of their own or bear out their check
 * digits; else the free text as a whole, when it is short and has a digit, as a heuristic one.
 */
export function paymentReferences(structured: readonly string[], unstructured: string): Key[] {
  const exact = new Set(structured.filter(Boolean).map((text) => plainOf(text).slice(0, 140)));
  for (const [, digits = ''] of unstructured.matchAll(BELGIAN))
    if (isStructuredCommunication(digits)) exact.add(plainOf(digits));
  for (const [found] of unstructured.matchAll(CREDITOR)) {
    const reference = creditorReference(found);
    if (reference) exact.add(reference);
  }
  if (exact.size > 0)
    return [...exact].map((value) => ({ type: 'payref', value, strength: 'exact' as const }));
  if (unstructured.length > MAX_FREE || !/\d/.test(unstructured)) return [];
  return [{ type: 'payref', value: unstructured, strength: 'heuristic' as const }];
}
