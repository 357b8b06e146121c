import { z } from 'zod';
import { type Key, key } from './key.ts';
import { currencyCode, decimalText } from './money.ts';
import { period } from './period.ts';
import { calendarDate, type Instant, instant } from './time.ts';

/** Characters of an event type, at most. */
export const MAX_EVENT_TYPE = 128;

/** A short event type, `bill.posted`: kind and fact, lower case, as rules and columns have it. */
export const eventType = z
  .string()
  .max(MAX_EVENT_TYPE)
  .regex(
    /^[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)+$/,
    'must be <kind>.<fact> in lower case, such as bill.posted',
  );

/** How an event came in. `file` and `backfill` mark history: it opens nothing live. */
export const INGEST_PATHS = [
  'webhook',
  'poll',
  'tracking',
  'otlp',
  'push',
  'file',
  'replay',
  'backfill',
] as const;
export const ingestPath = z.enum(INGEST_PATHS);
export type IngestPath = z.infer<typeof ingestPath>;
export const isHistory = (path: IngestPath): boolean => path === 'file' || path === 'backfill';

const text = z.string().max(1024);

/**
 * The `data` of a finance CloudEvent. `object`, `org` and at least one key are required; money is decimal text; a positive
 * amount is the natural direction of the kind (a bill of 100 is 100, its credit note −100).
 */
export const eventData = z.strictObject({
  object: z.strictObject({
    kind: text,
    nativeModel: text.optional(),
    nativeId: text.optional(),
    docNumber: text.optional(),
    state: text.optional(),
    previousState: text.optional(),
    version: text.optional(),
  }),
  org: z.strictObject({
    companyKey: z.string().min(1).max(128),
    journalKey: text.optional(),
    period: period.optional(),
    country: text.optional(),
  }),
  party: z
    .strictObject({
      partyKey: text.optional(),
      partyVatHash: text.optional(),
      counterCompanyKey: text.optional(),
    })
    .optional(),
  money: z
    .strictObject({
      amount: decimalText,
      currency: currencyCode,
      companyAmount: decimalText.optional(),
      companyCurrency: currencyCode.optional(),
      residual: decimalText.optional(),
    })
    .optional(),
  dates: z
    .strictObject({
      documentDate: calendarDate.optional(),
      accountingDate: calendarDate.optional(),
      dueDate: calendarDate.optional(),
      valueDate: calendarDate.optional(),
      deliveryDate: calendarDate.optional(),
    })
    .optional(),
  actor: z
    .strictObject({
      actorId: text,
      actorKind: z.enum(['human', 'service', 'system']),
      onBehalfOf: text.optional(),
    })
    .optional(),
  keys: z.array(key).min(1).max(64),
  lines: z.array(z.record(z.string(), z.unknown())).max(10_000).optional(),
  approval: z.record(z.string(), z.unknown()).optional(),
  tax: z.record(z.string(), z.unknown()).optional(),
  control: z.record(z.string(), z.unknown()).optional(),
  quality: z.record(z.string(), z.unknown()).optional(),
  attributes: z.record(z.string().max(128), z.string().max(8192)).optional(),
});
export type EventData = z.infer<typeof eventData>;

/** An event without its payload: all that a case shows of it. */
export type EventHead = Omit<FinanceEvent, 'data'>;

/**
 * A finance event as it is stored and judged: a business fact with an instant, a company and at least one key.
 * `batch` is the number under which it was accepted; `sequence` orders events of equal `time`.
 */
export interface FinanceEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly version: number;
  readonly time: Instant;
  readonly receivedAt: Instant;
  readonly batch: string;
  readonly sequence: string;
  readonly company: string;
  readonly subject: string;
  readonly ingestPath: IngestPath;
  readonly docNumber?: string | undefined;
  readonly state?: string | undefined;
  readonly period?: string | undefined;
  readonly partyKey?: string | undefined;
  readonly amount?: string | undefined;
  readonly currency?: string | undefined;
  readonly companyAmount?: string | undefined;
  readonly companyCurrency?: string | undefined;
  readonly actorId?: string | undefined;
  readonly actorKind?: string | undefined;
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly flow?: string | undefined;
  readonly keys: readonly Key[];
  readonly attributes: Readonly<Record<string, string>>;
  /** The rest of `data` (lines, approval, tax, control, dates …) as JSON text, `{}` for none. */
  readonly data: string;
}

/** What names an event: a source gives each of its events another id, two sources may give the same. */
export type EventRef = Pick<FinanceEvent, 'source' | 'id'>;

/** The reference as one text, for maps and sets. */
export const eventRefKey = ({ source, id }: EventRef): string => `${source}\n${id}`;

/** A heartbeat: the source has sent everything up to `completeUpTo` (SEMANTICS: a *declared* watermark). */
export const heartbeat = z.object({ completeUpTo: instant, stream: z.string().max(128).optional() });
