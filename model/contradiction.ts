import { type CaseDocument, documentId, keysOfDocument } from './case-document.ts';
import { joinKey, type KeyStrength, keyTypeOf } from './key.ts';
import { absoluteAmount, compareAmounts } from './money.ts';

/** What two systems say differently of what is one document by a key that both hold. */
export interface Contradiction {
  readonly company: string;
  /** The key by which they are one. */
  readonly key: string;
  /** What differs: `amount`, `currency`, or the type of a key that a document has one of: `docno`. */
  readonly about: string;
  /** What each says, as it was sent; the earlier event first. */
  readonly said: readonly Said[];
}

export interface Said {
  readonly source: string;
  readonly subject: string;
  readonly value: string;
}

/** Types of which one document of one kind has one value. */
const SINGLE: readonly string[] = ['docno', 'supref', 'e2e', 'uetr', 'filehash', 'peppol'];
/** Types of keys that make two documents of one kind, told by two sources, one document. */
export const IDENTIFYING_TYPES: readonly string[] = [...SINGLE, 'psp', 'correlation'];
const IDENTIFYING: ReadonlySet<string> = new Set(IDENTIFYING_TYPES);

/**
 * The contradictions among documents: two of one kind and company that two sources tell of, that share an identifying key
 * (exact or composite, a correlation id included), and that disagree in the amount, the currency, or a key of which a
 * document has one.
 */
export function contradictionsOf(documents: readonly CaseDocument[]): Contradiction[] {
  const holders = new Map<string, CaseDocument[]>();
  for (const document of documents)
    for (const key of identifying(keysOfDocument(document))) {
      const group = `${document.company}\n${document.kind}\n${key}`;
      holders.set(group, [...(holders.get(group) ?? []), document]);
    }
  const found = new Map<string, Contradiction>();
  for (const [group, own] of holders) {
    const key = group.slice(group.lastIndexOf('\n') + 1);
    for (const [i, one] of own.entries())
      for (const other of own.slice(i + 1))
        for (const contradiction of one.source === other.source ? [] : between(one, other, key)) {
          const id = JSON.stringify([[documentId(one), documentId(other)].sort(), contradiction.about]);
          if (!found.has(id)) found.set(id, contradiction);
        }
  }
  return [...found.values()];
}

const identifying = (keys: ReadonlyMap<string, KeyStrength>): string[] =>
  [...keys].flatMap(([key, strength]) =>
    strength !== 'heuristic' && IDENTIFYING.has(keyTypeOf(key)) ? [key] : [],
  );

function between(one: CaseDocument, other: CaseDocument, key: string): Contradiction[] {
  const saying = (about: string, value: string, otherValue: string): Contradiction => ({
    company: one.company,
    key,
    about,
    said: [
      { source: one.source, subject: one.subject, value },
      { source: other.source, subject: other.subject, value: otherValue },
    ],
  });
  const money = [one, other].map(amountOf);
  const [a, b] = money;
  const found: Contradiction[] = [];
  if (a && b && a.currency !== b.currency) found.push(saying('currency', a.currency, b.currency));
  else if (a && b && compareAmounts(absoluteAmount(a.amount), absoluteAmount(b.amount)) !== 0)
    found.push(saying('amount', a.amount, b.amount));
  for (const type of SINGLE) {
    const [mine, its] = [valuesOf(one, type), valuesOf(other, type)];
    if (mine.size === 0 || its.size === 0 || [...mine.keys()].some((joined) => its.has(joined))) continue;
    found.push(saying(type, [...mine.values()].join(', '), [...its.values()].join(', ')));
  }
  return found;
}

/** The last amount that an event of the document has, in the order of events. */
function amountOf({ events }: CaseDocument): { amount: string; currency: string } | undefined {
  const { amount, currency } = events.findLast((event) => event.amount !== undefined) ?? {};
  return amount !== undefined && currency !== undefined ? { amount, currency } : undefined;
}

/** The values of the type that the document has: as they are compared, and as they were sent. */
function valuesOf({ events }: CaseDocument, type: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const event of events)
    for (const key of event.keys) if (key.type === type) values.set(joinKey(key, event), key.value);
  return values;
}
