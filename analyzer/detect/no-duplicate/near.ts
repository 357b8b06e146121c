import type { RuleOf } from '../../../model/expectation.ts';

type Near = NonNullable<RuleOf<'no-duplicate'>['near']>;

/** A text without what formatting adds: NFKC, upper case, only letters and digits, no leading zeros of runs of digits. */
export const formOf = (text: string): string =>
  text
    .normalize('NFKC')
    .toUpperCase()
    .replace(/(?<!\d)0+(?=\d)/g, '')
    .replace(/[^\p{L}\p{N}]/gu, '');

/**
 * Texts of which two nearly equal values have at least one in common: the form, and for typing faults the form with each
 * character left out (two texts one insertion, deletion, substitution or swap of neighbours apart share one: SymSpell,
 * Garbe 2012). Undefined when the value is too short to be told from others.
 */
export function variantsOf(value: string, { how, least }: Near): string[] | undefined {
  const form = formOf(value);
  if (form.length < least) return undefined;
  if (!how.includes('digit-swap') && !how.includes('one-digit')) return [form];
  const variants = new Set([form]);
  for (let at = 0; at < form.length; at += 1) variants.add(form.slice(0, at) + form.slice(at + 1));
  return [...variants];
}

/** How the two values are nearly equal; undefined when they are not, or are the very same. */
export function nearness(a: string, b: string, { how, least }: Near): Near['how'][number] | undefined {
  if (a === b) return undefined;
  const [x, y] = [formOf(a), formOf(b)];
  if (x.length < least || y.length < least) return undefined;
  if (x === y) return how.includes('formatting') ? 'formatting' : undefined;
  if (how.includes('digit-swap') && isSwap(x, y)) return 'digit-swap';
  if (how.includes('one-digit') && isOneApart(x, y)) return 'one-digit';
  if (how.includes('contained') && (x.includes(y) || y.includes(x))) return 'contained';
  return undefined;
}

const firstDifference = (a: string, b: string): number => {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at;
};

function isSwap(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  const at = firstDifference(a, b);
  return a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2);
}

/** One character other, missing or too many; but not only the last one other, as in numbers that follow each other. */
function isOneApart(a: string, b: string): boolean {
  const at = firstDifference(a, b);
  if (a.length === b.length) return at < a.length - 1 && a.slice(at + 1) === b.slice(at + 1);
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return long.length === short.length + 1 && short.slice(at) === long.slice(at + 1);
}
