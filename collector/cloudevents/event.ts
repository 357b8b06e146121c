import { createHash } from 'node:crypto';
import { CloudEvent } from 'cloudevents';
import { z } from 'zod';
import { canonicalJson } from '../../model/canonical-json.ts';
import type { Problem } from '../../model/errors.ts';
import { type EventData, eventData, eventType, heartbeat } from '../../model/event.ts';
import { parseJson } from '../../model/json.ts';
import type { Masking } from '../../model/masking.ts';
import { END_OF_TIME, instant, NANOS_PER_DAY, parseInstant } from '../../model/time.ts';
import type { AcceptedEvent } from '../../store/postgres/accepted.ts';
import { coversSource } from '../../store/postgres/tokens.ts';
import type { Envelope } from './modes.ts';
import { flawOf } from './storable.ts';
import { VERSIONS, type Version, type Versions, versionsOf } from './versions.ts';

/** Why an event is refused, a closed set. */
export type Reason =
  | 'invalid'
  | 'unknown-version'
  | 'too-large'
  | 'source-denied'
  | 'company-denied'
  | 'unsigned'
  | 'conflict';

export type Judged =
  | { readonly accepted: AcceptedEvent; readonly noTrace: boolean }
  | { readonly refused: Reason; readonly problems: readonly Problem[] };

const PREFIX = 'closewatch';

const word = z.string().min(1).max(1024);
/** What stands in an index, whose rows may have 2,704 bytes: source and id together, company, source and subject. */
const fitsKey = (text: string): boolean => Buffer.byteLength(text) <= 1024;
const keyPart = word.refine(fitsKey, 'may have 1024 bytes of UTF-8');
const int64 = z
  .union([z.string(), z.int()])
  .transform(String)
  .refine(
    (text) => /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text),
    'must be a whole number of 64 bits, as text',
  );

/** The context attributes that mean something here; other extensions may be there and are not kept. */
const context = z.looseObject({
  specversion: z.literal('1.0'),
  id: keyPart,
  source: keyPart,
  type: word,
  time: instant,
  subject: keyPart.optional(),
  companyid: z.string().min(1).max(128).optional(),
  flowid: z.string().max(128).optional(),
  correlationid: word.optional(),
  sequence: int64.default('0'),
  ingestpath: z.enum(['push', 'backfill', 'replay']).default('push'),
  traceparent: z.string().optional(),
});
type Context = z.infer<typeof context>;

/** A heartbeat carries its watermark; the blocks of other events may stand beside it. */
const heartbeatData = heartbeat.extend({
  org: z.looseObject({ companyKey: z.string().min(1).max(128) }).optional(),
});

/** Extensions that tell how an event travelled, not what it says: a replay of the same event is the same event. */
const TRANSPORT = new Set([
  'data',
  'data_base64',
  'datacontenttype',
  'ingestpath',
  'traceparent',
  'tracestate',
]);

const invalid = (...problems: Problem[]): Judged => ({ refused: 'invalid', problems });
const problem = (where: string, what: string): Problem => ({ where, what });

const problemsOf = (error: z.ZodError, at: string): Problem[] =>
  error.issues
    .slice(0, 20)
    .map((issue) => problem([at, ...issue.path].filter(String).join('.'), issue.message));

/** What an event is judged by. */
export interface Facts {
  /** The source that the sender speaks for. */
  readonly sender: string;
  /** The companies that it may send for; left out, all. */
  readonly companies?: readonly string[] | undefined;
  /** Epoch nanoseconds. */
  readonly now: bigint;
  /** Protects what is kept of an event; left out, all of it is kept. */
  readonly masking?: Masking | undefined;
  /** The versions of types that are read; those of this program when left out. */
  readonly versions?: Versions | undefined;
}

/**
 * The event of an envelope, or why there is none; it never throws, so that one event that cannot be read takes no other
 * with it. Pure.
 */
export function judgeEvent(given: unknown, facts: Facts): Judged {
  try {
    const judged = judge(given, facts);
    if ('refused' in judged || mayBeOf(judged.accepted.event.company, facts.companies)) return judged;
    const what = `the token may send for ${facts.companies?.join(', ')} only`;
    return { refused: 'company-denied', problems: [problem('data.org.companyKey', what)] };
  } catch (error) {
    return invalid(problem('', `cannot be read: ${(error as Error).message.slice(0, 200)}`));
  }
}

const mayBeOf = (company: string, companies: readonly string[] | undefined): boolean =>
  companies === undefined || companies.includes(company);

function judge(given: unknown, facts: Facts): Judged {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return invalid(problem('', 'an event must be a JSON object'));
  // An attribute that is null is absent (JSON format 1.0.2, 2.2).
  const present = Object.entries(given).filter(([, value]) => value !== undefined && value !== null);
  const envelope: Envelope = Object.fromEntries(present);
  const flaw = flawOf(envelope);
  if (flaw) return invalid(flaw);
  const attributes = context.safeParse(envelope);
  if (!attributes.success) return invalid(...problemsOf(attributes.error, ''));
  const breach = wrongExtension(envelope) ?? breachOf(envelope);
  if (breach) return invalid(breach);
  const { source, time } = attributes.data;
  if (!coversSource(facts.sender, source)) {
    const what = `the token speaks for ${facts.sender} and what lies below it, not for ${source}`;
    return { refused: 'source-denied', problems: [problem('source', what)] };
  }
  const at = parseInstant(time) ?? 0n;
  if (at < 0n || at >= END_OF_TIME) return invalid(problem('time', 'must lie from 1970 to 2261'));
  if (at > facts.now + NANOS_PER_DAY) return invalid(problem('time', 'lies more than 24 hours ahead'));
  const type = typeOf(attributes.data.type);
  if ('what' in type) return invalid(type);
  const versions = versionsOf(facts.versions ?? VERSIONS, type.short);
  const version = versions.get(type.version);
  if (!version) {
    const known = [...versions.keys()].map((number) => `v${number}`).join(', ');
    const what = `version v${type.version} of ${type.short} is not known; known: ${known}`;
    return { refused: 'unknown-version', problems: [problem('type', what)] };
  }
  const data = dataOf(envelope);
  if ('what' in data) return invalid(data);
  const event = { envelope, head: attributes.data, type, given: data.value };
  const upgraded = upgrade(data.value, version);
  if ('what' in upgraded) return invalid(upgraded);
  return type.short === 'flow.heartbeat'
    ? judgeHeartbeat(event, upgraded.value, facts.now)
    : judgeData(event, upgraded.value, facts.masking);
}

/** The data in the form of today. What an upgrade makes of bad data is judged as it is; that it cannot read it is a problem. */
function upgrade(value: unknown, version: Version): { value: unknown } | Problem {
  try {
    return { value: version.upgrade ? version.upgrade(value) : value };
  } catch (error) {
    return problem('data', `cannot be read as this version: ${(error as Error).message.slice(0, 200)}`);
  }
}

/** What the CloudEvents SDK finds wrong with the context attributes: names, values and formats of the specification. */
function breachOf(envelope: Envelope): Problem | undefined {
  try {
    const { data: _, data_base64: __, ...attributes } = envelope;
    new CloudEvent(attributes, true);
    return undefined;
  } catch (error) {
    const { message, errors } = error as { message: string; errors?: unknown };
    const [first] = Array.isArray(errors) ? (errors as { instancePath?: string; message?: string }[]) : [];
    const what = `${message.split('\n')[0]}${first?.message ? `: ${first.message}` : ''}`.slice(0, 300);
    return problem(first?.instancePath?.slice(1) ?? '', what);
  }
}

/** An attribute that is no text, boolean or whole number of 32 bits (CloudEvents 1.0.2, 3.1): its text would not be it. */
function wrongExtension(envelope: Envelope): Problem | undefined {
  for (const [name, value] of Object.entries(envelope)) {
    if (name === 'data' || Object.hasOwn(context.shape, name)) continue;
    if (typeof value === 'string' || typeof value === 'boolean') continue;
    if (name !== 'data_base64' && typeof value === 'number' && (value | 0) === value) continue;
    return problem(name, 'must be text, true or false, or a whole number of 32 bits');
  }
  return undefined;
}

function typeOf(text: string): { short: string; version: number } | Problem {
  const [, prefix, short = '', version] = /^([^.]+)\.(.+)\.v(\d{1,4})$/.exec(text) ?? [];
  if (prefix !== PREFIX || version === undefined)
    return problem('type', `must be ${PREFIX}.<kind>.<fact>.v<major>, such as ${PREFIX}.bill.posted.v1`);
  const checked = eventType.safeParse(short);
  if (!checked.success) return problem('type', checked.error.issues[0]?.message ?? 'is no event type');
  return { short, version: Number(version) };
}

function dataOf(envelope: Envelope): { value: unknown } | Problem {
  const encoded = envelope.data_base64;
  if (typeof encoded !== 'string') return { value: envelope.data };
  let value: unknown;
  try {
    value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(encoded, 'base64')));
  } catch {
    return problem('data_base64', 'must be JSON in base64');
  }
  const flaw = flawOf(value);
  return flaw ? problem('data_base64', flaw.what) : { value };
}

/** SHA-256 of what the event says, the same in every mode: texts of the attributes, the instant, and `data`. */
function hashOf(envelope: Envelope, time: string, data: unknown): string {
  const said: Record<string, string> = {};
  for (const [name, value] of Object.entries(envelope)) {
    if (!TRANSPORT.has(name) && value !== undefined && value !== null) said[name] = String(value);
  }
  return createHash('sha256')
    .update(canonicalJson([{ ...said, time }, data ?? null]))
    .digest('hex');
}

/** Trace and span of a W3C traceparent (Trace Context, 3.2): version 00 ends with its flags, a later one may go on. */
function traceOf(traceparent: string | undefined): { traceId: string; spanId: string } | undefined {
  const [, version, traceId, spanId, rest] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(traceparent ?? '') ?? [];
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (!traceId || !spanId || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId };
}

const hasNoTrace = ({ traceparent }: Context): boolean =>
  traceparent !== undefined && traceOf(traceparent) === undefined;

const commonOf = (head: Context, version: number) => ({
  id: head.id,
  source: head.source,
  version,
  time: head.time,
  sequence: head.sequence,
  ingestPath: head.ingestpath,
  ...traceOf(head.traceparent),
  correlationId: head.correlationid,
  flow: head.flowid,
});

/** An event whose attributes are good: `given` is its data as it came, of which its hash is made. */
interface Read {
  readonly envelope: Envelope;
  readonly head: Context;
  readonly type: { readonly short: string; readonly version: number };
  readonly given: unknown;
}

function judgeData({ envelope, head, type, given }: Read, upgraded: unknown, masking?: Masking): Judged {
  const parsed = eventData.safeParse(upgraded);
  if (!parsed.success) return invalid(...problemsOf(parsed.error, 'data'));
  const data = parsed.data;
  if (head.companyid !== undefined && head.companyid !== data.org.companyKey)
    return invalid(
      problem('companyid', `is ${head.companyid}, but data.org.companyKey is ${data.org.companyKey}`),
    );
  const subject = head.subject ?? subjectOf(data);
  if (!fitsKey(subject))
    return invalid(problem('subject', 'is made of data.object or data.keys, and longer than 1024 bytes'));
  const { attributes: sent = {}, keys, ...others } = data;
  const rest = (masking?.applyDeep(others) ?? others) as typeof others;
  const attributes = (masking?.applyDeep(sent) ?? sent) as typeof sent;
  const kept = keys.some((key) => key.strength !== undefined) ? { ...rest, keys } : rest;
  return {
    accepted: {
      event: {
        ...commonOf(head, type.version),
        type: type.short,
        company: data.org.companyKey,
        subject,
        docNumber: data.object.docNumber,
        state: data.object.state,
        period: data.org.period,
        partyKey: data.party?.partyKey,
        amount: data.money?.amount,
        currency: data.money?.currency,
        companyAmount: data.money?.companyAmount,
        companyCurrency: data.money?.companyCurrency,
        actorId: data.actor?.actorId,
        actorKind: data.actor?.actorKind,
        keys: keys.map(({ type: keyType, value }) => ({ type: keyType, value })),
        attributes,
        data: JSON.stringify(kept),
      },
      bodyHash: hashOf(envelope, head.time, given),
    },
    noTrace: hasNoTrace(head),
  };
}

/** Without a subject: the native record, else the first key. */
function subjectOf(data: EventData): string {
  const { nativeModel, nativeId } = data.object;
  if (nativeModel && nativeId) return `${nativeModel}/${nativeId}`;
  const [first] = data.keys;
  return `${first?.type}:${first?.value}`;
}

function judgeHeartbeat({ envelope, head, type, given }: Read, upgraded: unknown, now: bigint): Judged {
  const parsed = heartbeatData.safeParse(upgraded);
  if (!parsed.success) return invalid(...problemsOf(parsed.error, 'data'));
  const { completeUpTo, stream = '', org } = parsed.data;
  const company = head.companyid ?? org?.companyKey;
  if (company === undefined) return invalid(problem('companyid', 'a heartbeat must name its company'));
  if (org && company !== org.companyKey)
    return invalid(problem('companyid', `is ${company}, but data.org.companyKey is ${org.companyKey}`));
  const upTo = parseInstant(completeUpTo) ?? 0n;
  if (upTo < 0n || upTo > now + NANOS_PER_DAY)
    return invalid(problem('data.completeUpTo', 'must lie from 1970 to 24 hours from now'));
  return {
    accepted: {
      event: {
        ...commonOf(head, type.version),
        type: type.short,
        company,
        subject: head.subject ?? head.flowid ?? 'heartbeat',
        keys: [],
        attributes: {},
        data: JSON.stringify(upgraded),
      },
      bodyHash: hashOf(envelope, head.time, given),
      declares: { stream, completeUpTo: upTo },
    },
    noTrace: hasNoTrace(head),
  };
}
