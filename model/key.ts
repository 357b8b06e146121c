import { z } from 'zod';
import { isStructuredReference } from './payment-reference.ts';

/** How sure a join by a key is: `exact` alone joins, `composite` joins within its scope, `heuristic` only suggests. */
export const KEY_STRENGTHS = ['exact', 'composite', 'heuristic'] as const;
export const keyStrength = z.enum(KEY_STRENGTHS);
export type KeyStrength = z.infer<typeof keyStrength>;

export type Scope = 'global' | 'company' | 'source';

/** The known key types, the room in which a value is unique, and how values are compared. Others may be used: company-wide, exact. */
export const KEY_TYPES = {
  subject: { scope: 'source', strength: 'exact', compare: 'raw' },
  trace: { scope: 'global', strength: 'exact', compare: 'lower' },
  extid: { scope: 'source', strength: 'exact', compare: 'raw' },
  docno: { scope: 'company', strength: 'exact', compare: 'loose' },
  supref: { scope: 'company', strength: 'composite', compare: 'loose' },
  po: { scope: 'company', strength: 'exact', compare: 'loose' },
  poline: { scope: 'company', strength: 'exact', compare: 'loose' },
  payref: { scope: 'company', strength: 'exact', compare: 'loose' },
  e2e: { scope: 'global', strength: 'exact', compare: 'raw' },
  uetr: { scope: 'global', strength: 'exact', compare: 'lower' },
  psp: { scope: 'source', strength: 'exact', compare: 'raw' },
  peppol: { scope: 'global', strength: 'exact', compare: 'lower' },
  filehash: { scope: 'global', strength: 'exact', compare: 'lower' },
  batch: { scope: 'source', strength: 'exact', compare: 'raw' },
  correlation: { scope: 'company', strength: 'exact', compare: 'raw' },
  message: { scope: 'company', strength: 'exact', compare: 'raw' },
  idempotency: { scope: 'company', strength: 'exact', compare: 'raw' },
  interco: { scope: 'global', strength: 'exact', compare: 'loose' },
  approx: { scope: 'company', strength: 'heuristic', compare: 'raw' },
} as const satisfies Record<
  string,
  { scope: Scope; strength: KeyStrength; compare: 'raw' | 'lower' | 'loose' }
>;

export const keyType = z
  .string()
  .regex(/^[a-z][a-z0-9]{0,31}$/, 'must be a short lower-case word, such as docno');

/** A typed correlation value of an event: the raw value is kept, the normalised one only joins. */
export const key = z.strictObject({
  type: keyType,
  value: z.string().min(1).max(512),
  strength: keyStrength.optional(),
});
export type Key = z.infer<typeof key>;

/** Keys that several documents share: they link cases, they never merge them. */
export const GROUP_KEY_TYPES: ReadonlySet<string> = new Set(['trace', 'batch']);

const rules = (type: string): { scope: Scope; strength: KeyStrength; compare: string } =>
  (KEY_TYPES as Record<string, (typeof KEY_TYPES)[keyof typeof KEY_TYPES]>)[type] ?? {
    scope: 'company',
    strength: 'exact',
    compare: 'loose',
  };

/** The less sure of two. */
export const weakest = (a: KeyStrength, b: KeyStrength): KeyStrength =>
  KEY_STRENGTHS.indexOf(a) > KEY_STRENGTHS.indexOf(b) ? a : b;

/** The type of a join key. */
export const keyTypeOf = (joined: string): string => joined.slice(0, joined.indexOf(':'));

/** The room in which a value of the type is unique. */
export const scopeOfKey = (type: string): Scope => rules(type).scope;

/** How sure a join by the key is: what its sender says, else what its type says. A payment reference is exact only when it checks itself. */
export function strengthOf({ type, value, strength }: Key): KeyStrength {
  if (strength) return strength;
  if (type === 'payref' && !isStructuredReference(value)) return 'heuristic';
  return rules(type).strength;
}

/** Does every key of the type join, unless its sender says that it only suggests? */
export const surelyJoins = (type: string): boolean =>
  type !== 'payref' && !GROUP_KEY_TYPES.has(type) && rules(type).strength !== 'heuristic';

const PLAIN = /^[\x20-\x7e]*$/;

/** NFKC, upper case, without blanks and `-_/.`; leading zeros go only from pure digits. Nothing left: the raw value. */
function loose(value: string): string {
  const kept = (PLAIN.test(value) ? value : value.normalize('NFKC')).toUpperCase().replace(/[\s\-_/.]/g, '');
  if (/^\d+$/.test(kept)) return kept.replace(/^0+(?=\d)/, '');
  return kept === '' ? value : kept;
}

/** The form of a value in which values of the type are compared. */
export function comparableKey(type: string, value: string): string {
  const { compare } = rules(type);
  if (compare === 'raw') return value;
  return compare === 'lower' ? value.trim().toLowerCase() : loose(value);
}

interface Room {
  readonly company: string;
  readonly source: string;
}

/** What stands before the comparable value in a join key: the type and the room in which it is unique, each with its colon. */
export function keyPrefix(type: string, room: Room): string {
  const { scope } = rules(type);
  if (scope === 'global') return `${type}:`;
  const place = scope === 'company' ? room.company : room.source;
  return `${type}:${place.replaceAll('%', '%25').replaceAll(':', '%3A')}:`;
}

/**
 * The text by which two events join: `docno:acme:BILL2026050012`, `subject:/odoo/prod/1:account.move/42`, `trace:5b8e…`.
 * Equal texts mean the same key; types never join each other. A part of the scope that holds `:` is percent-encoded.
 */
export const joinKey = (k: Pick<Key, 'type' | 'value'>, room: Room): string =>
  keyPrefix(k.type, room) + comparableKey(k.type, k.value);

/** Reads the display form `docno:acme:BILL/2026/05/0012` (or a join key) back; undefined when it is none. */
export function parseKeyText(text: string): { type: string; joined: string } | undefined {
  const [, type, rest] = /^([a-z][a-z0-9]{0,31}):(.+)$/s.exec(text) ?? [];
  if (!type || !rest) return undefined;
  if (rules(type).scope === 'global') return { type, joined: `${type}:${comparableKey(type, rest)}` };
  const at = rest.indexOf(':');
  if (at < 1 || at === rest.length - 1) return undefined;
  return { type, joined: `${type}:${rest.slice(0, at)}:${comparableKey(type, rest.slice(at + 1))}` };
}

/**
 * Every join key of an event, each once: its subject within its source first, then its keys, then its trace and its
 * correlation id when it has them.
 */
export function joinKeysOf(event: {
  readonly source: string;
  readonly company: string;
  readonly subject: string;
  readonly traceId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly keys: readonly Pick<Key, 'type' | 'value'>[];
}): string[] {
  const keys = [{ type: 'subject', value: event.subject }, ...event.keys];
  if (event.traceId) keys.push({ type: 'trace', value: event.traceId });
  if (event.correlationId) keys.push({ type: 'correlation', value: event.correlationId });
  return [...new Set(keys.filter((k) => k.value !== '').map((k) => joinKey(k, event)))];
}
