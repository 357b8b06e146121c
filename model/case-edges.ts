import { type CaseDocument, documentId, keysOfDocument } from './case-document.ts';
import { GROUP_KEY_TYPES, type KeyStrength, keyTypeOf, weakest } from './key.ts';

/** What one document does to another, by their kinds; `same` is one document that two sources tell of. */
export const EDGE_TYPES = [
  'orders',
  'receives',
  'bills',
  'pays',
  'reconciles',
  'reverses',
  'mirrors',
  'traces',
  'same',
  'shares',
] as const;
export type EdgeType = (typeof EDGE_TYPES)[number];

/** Two documents share a key. */
export interface CaseEdge {
  /** The document that does it to the other one. */
  readonly from: string;
  readonly to: string;
  readonly type: EdgeType;
  /** The surest of the keys that they share. */
  readonly key: string;
  readonly strength: KeyStrength;
  /** Only a heuristic key joins them. */
  readonly inferred: boolean;
  /** From 0 to 1: how sure its strength is, divided by the documents of the case that the key could mean as well. */
  readonly score: number;
}

const set = (...kinds: string[]): ReadonlySet<string> => new Set(kinds);
/** From, to, and what the first does to the second. */
const TYPES: readonly (readonly [ReadonlySet<string>, ReadonlySet<string>, EdgeType])[] = [
  [set('purchaseorder'), set('purchaserequisition'), 'orders'],
  [set('goodsreceipt', 'delivery'), set('purchaseorder', 'salesorder', 'order'), 'receives'],
  [set('bill'), set('purchaseorder', 'goodsreceipt'), 'bills'],
  [set('invoice'), set('salesorder', 'order', 'delivery'), 'bills'],
  [set('creditnote', 'refund', 'chargeback'), set('bill', 'invoice', 'payment'), 'reverses'],
  [
    set('payment', 'batchpayment'),
    set('bill', 'invoice', 'expense', 'payrollrun', 'creditnote', 'order'),
    'pays',
  ],
  [
    set('statementline', 'bankstatement', 'reconciliation', 'settlement', 'payout'),
    set('payment', 'batchpayment', 'bill', 'invoice', 'creditnote', 'refund'),
    'reconciles',
  ],
];
const MIRRORED = set('bill', 'invoice', 'creditnote', 'journalentry', 'intercompany');

const SCORES: Readonly<Record<KeyStrength, number>> = { exact: 1, composite: 0.9, heuristic: 0.5 };

interface Typed {
  readonly from: CaseDocument;
  readonly to: CaseDocument;
  readonly type: EdgeType;
}

function typed(a: CaseDocument, b: CaseDocument, key: string): Typed {
  if (a.company !== b.company && MIRRORED.has(a.kind) && MIRRORED.has(b.kind))
    return { from: a, to: b, type: 'mirrors' };
  for (const [from, to, type] of TYPES) {
    if (from.has(a.kind) && to.has(b.kind)) return { from: a, to: b, type };
    if (from.has(b.kind) && to.has(a.kind)) return { from: b, to: a, type };
  }
  if (keyTypeOf(key) === 'trace') return { from: a, to: b, type: 'traces' };
  return { from: a, to: b, type: a.kind === b.kind && a.source !== b.source ? 'same' : 'shares' };
}

/**
 * The edges of documents, each pair once: by each key the documents that hold it, or when they are many each with the first.
 * Keys of a group join documents only where nothing else does (a case that was asked for by its trace); `links` join none.
 */
export function edgesOf(documents: readonly CaseDocument[], links: ReadonlySet<string>): CaseEdge[] {
  const holders = new Map<string, { document: CaseDocument; strength: KeyStrength }[]>();
  for (const document of documents)
    for (const [key, strength] of keysOfDocument(document)) {
      if (links.has(key)) continue;
      const known = holders.get(key);
      if (known) known.push({ document, strength });
      else holders.set(key, [{ document, strength }]);
    }
  const edges = new Map<string, CaseEdge>();
  const isGroup = (key: string): boolean => GROUP_KEY_TYPES.has(keyTypeOf(key));
  const keys = [...holders.keys()].sort((a, b) => Number(isGroup(a)) - Number(isGroup(b)));
  for (const key of keys) {
    const own = holders.get(key) ?? [];
    for (const [first, other] of pairsOf(own)) {
      const edge = edgeOf(first, other, key, own.length - 1);
      const pair = [edge.from, edge.to].sort().join(' ');
      const before = edges.get(pair);
      if (!before || before.score < edge.score) edges.set(pair, edge);
    }
  }
  return [...edges.values()];
}

/** Every two of a few; of many each with the first, or there were thousands. */
function pairsOf(holders: readonly Holder[]): [Holder, Holder][] {
  const firsts = holders.length <= FEW ? holders : holders.slice(0, 1);
  return firsts.flatMap((first, i) => holders.slice(i + 1).map((other): [Holder, Holder] => [first, other]));
}
const FEW = 10;

interface Holder {
  readonly document: CaseDocument;
  readonly strength: KeyStrength;
}

function edgeOf(first: Holder, other: Holder, key: string, others: number): CaseEdge {
  const { from, to, type } = typed(first.document, other.document, key);
  const strength = weakest(first.strength, other.strength);
  const inferred = strength === 'heuristic';
  const score = inferred ? SCORES[strength] / others : SCORES[strength];
  return { from: documentId(from), to: documentId(to), type, key, strength, inferred, score };
}
