import { z } from 'zod';
import { comparableKey, type Key } from './key.ts';
import { formatInstant } from './time.ts';

/** What the fields of rules are read from. Instants are epoch nanoseconds. */
export interface FieldBearer {
  readonly type: string;
  readonly company: string;
  readonly source: string;
  readonly subject: string;
  readonly at: bigint;
  readonly receivedAt?: bigint | undefined;
  readonly docNumber?: string | undefined;
  readonly state?: string | undefined;
  readonly period?: string | undefined;
  readonly partyKey?: string | undefined;
  readonly amount?: string | undefined;
  readonly currency?: string | undefined;
  readonly companyAmount?: string | undefined;
  readonly actorId?: string | undefined;
  readonly actorKind?: string | undefined;
  readonly keys: readonly Key[];
  readonly attributes: Readonly<Record<string, string>>;
  /** The rest of the event's `data`: lines, dates, control, tax … */
  readonly data: Readonly<Record<string, unknown>>;
}

const SECOND = 1_000_000_000n;

/** The plain fields; the others are `attribute.<name>`, `key.<type>` and `data.<path>`. */
const PLAIN = {
  type: (event) => event.type,
  company: (event) => event.company,
  source: (event) => event.source,
  subject: (event) => event.subject,
  date: (event) => formatInstant(event.at).slice(0, 10),
  delay: ({ at, receivedAt }) => (receivedAt === undefined ? undefined : secondsText(receivedAt - at)),
  docnumber: (event) => event.docNumber,
  state: (event) => event.state,
  period: (event) => event.period,
  party: (event) => event.partyKey,
  amount: (event) => event.amount,
  currency: (event) => event.currency,
  companyamount: (event) => event.companyAmount,
  actor: (event) => event.actorId,
  actorkind: (event) => event.actorKind,
} as const satisfies Record<string, (event: FieldBearer) => string | undefined>;

/** Nanoseconds as decimal seconds, to the millisecond; what was received before it happened took none. */
function secondsText(nanos: bigint): string {
  const ms = nanos > 0n ? (nanos * 1000n) / SECOND : 0n;
  return `${ms / 1000n}.${String(ms % 1000n).padStart(3, '0')}`;
}

const names = Object.keys(PLAIN).join(', ');

/** A field of an event, as rules name it. */
export const eventField = z
  .string()
  .max(160)
  .refine(
    (field) =>
      field in PLAIN || /^(attribute\.[^\s].*|key\.[a-z][a-z0-9]{0,31}|data(\.[A-Za-z0-9_-]+)+)$/.test(field),
    `must be ${names}, attribute.<name>, key.<type> or data.<path>`,
  );

/** Does the field need the payload of the event? */
export const isDataField = (field: string): boolean => field.startsWith('data.');

/** The text of a field of an event; undefined when it has none. `data` paths go through members and, by number, lists. */
export function fieldOf(event: FieldBearer, field: string): string | undefined {
  const plain = (PLAIN as Record<string, (event: FieldBearer) => string | undefined>)[field];
  if (plain) return plain(event) || undefined;
  if (field.startsWith('attribute.')) return event.attributes[field.slice('attribute.'.length)] || undefined;
  if (field.startsWith('key.')) {
    const type = field.slice('key.'.length);
    const key = event.keys.find((one) => one.type === type);
    return key && comparableKey(type, key.value);
  }
  return textOf(atPath(event.data, field.split('.').slice(1)));
}

function atPath(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

/** A scalar of JSON as text; nothing of anything else. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value || undefined;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}
