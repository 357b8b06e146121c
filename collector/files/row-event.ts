import { hash } from 'node:crypto';
import type { Key } from '../../model/key.ts';
import { currencyCode } from '../../model/money.ts';
import { END_OF_TIME, formatInstant, NANOS_PER_DAY } from '../../model/time.ts';
import type { Activities } from './activities.ts';
import { amountOf } from './amounts.ts';
import type { CaseAttributes, CaseFields } from './cases.ts';
import type { IdenticalRows } from './identical-rows.ts';
import { bad, type RowResult } from './item.ts';
import type { Format, ImportMap } from './map.ts';
import { joinedOf, MAX_KEY, type Row } from './row.ts';

const INT64 = 1n << 63n;
const LIMITS = { subject: 1024, text: 1024, company: 128, attribute: 8192, attributeName: 128, keys: 1000 };

/** The columns that hold case, activity and time where a format has names for them. */
const STANDARD: Partial<Record<Format, { case: string; activity: string; time: string }>> = {
  xes: { case: 'case:concept:name', activity: 'concept:name', time: 'time:timestamp' },
  ocel: { case: 'case:id', activity: 'event:type', time: 'event:time' },
};

/** The columns that hold case, activity and time; XES and OCEL have names for them. */
export function coreColumns(
  map: ImportMap,
  format: Format,
): { case: string[]; activity: string; time: string } | string {
  const standard = STANDARD[format];
  const listed = map.columns.case ?? standard?.case;
  const activity = map.columns.activity ?? standard?.activity;
  const time = map.columns.time ?? standard?.time;
  if (listed === undefined) return 'columns.case is needed';
  if (activity === undefined) return 'columns.activity is needed';
  if (time === undefined)
    return 'columns.time is needed: of a log without times, the column that orders its events, with timeFormat: unix';
  return { case: [listed].flat(), activity, time };
}

/** Every column of the event log that the map names. */
export function namedColumns(
  map: ImportMap,
  core: { case: string[]; activity: string; time: string },
): string[] {
  const c = map.columns;
  const single = [
    c.sequence,
    c.actor,
    c.role,
    c.company,
    c.amount,
    c.currency,
    c.eventId,
    c.docNumber,
    c.party,
    c.state,
  ];
  const listed = c.attributes === '*' ? [] : c.attributes;
  const all = [
    ...core.case,
    core.activity,
    core.time,
    ...single,
    ...listed,
    ...c.keys.flatMap((key) => key.columns),
  ];
  return [...new Set(all.filter((name) => name !== undefined))];
}

export interface RowReader {
  readonly map: ImportMap;
  readonly core: { case: string[]; activity: string; time: string };
  readonly source: string;
  readonly activities: Activities;
  readonly time: (text: string) => bigint | string;
  readonly identical: IdenticalRows;
  readonly cases: CaseAttributes | undefined;
  /** Epoch nanoseconds. */
  readonly now: bigint;
}

/** The event of a row, whose id is the same whenever and with whatever else it is read. */
export function eventOfRow(row: Row, reader: RowReader): RowResult {
  const { map, core, source } = reader;
  const { fields } = row;
  if (row.problem) return bad('unreadable', row.problem);
  const value = (name: string | undefined): string => (name === undefined ? '' : (fields[name] ?? ''));
  const subject = joinedOf(fields, core.case);
  if (subject === '') return bad('case', `${core.case.join(', ')}: the case is missing`);
  if (Buffer.byteLength(subject) > LIMITS.subject)
    return bad('too-long', `${core.case.join(', ')}: is longer than ${LIMITS.subject} bytes`);
  const activity = value(core.activity);
  if (activity === '') return bad('activity', `${core.activity}: the activity is missing`);
  const type = reader.activities.typeOf(activity);
  if (type === undefined)
    return bad('activity', `${core.activity}: types names no ${JSON.stringify(activity.slice(0, 80))}`);
  if (type === 'skip') return { skipped: true };
  if (value(core.time) === '') return bad('time', `${core.time}: the time is missing`);
  const at = reader.time(value(core.time).trim());
  if (typeof at === 'string') return bad('time', `${core.time}: ${at}`);
  const wrong = wrongTime(at, reader.now);
  if (wrong) return bad('time', `${core.time}: ${wrong}`);
  const sequence = map.columns.sequence === undefined ? `${row.number}` : value(map.columns.sequence).trim();
  if (!/^-?\d{1,19}$/.test(sequence) || BigInt(sequence) >= INT64 || BigInt(sequence) < -INT64)
    return bad(
      'sequence',
      `${map.columns.sequence}: is no whole number: ${JSON.stringify(sequence.slice(0, 40))}`,
    );

  const ofCase: CaseFields | undefined = reader.cases?.get(subject);
  const company = value(map.columns.company) || ofCase?.company || map.company || '';
  if (company === '') return bad('company', `${map.columns.company ?? 'company'}: the company is missing`);
  if (company.length > LIMITS.company) return bad('too-long', `company: is longer than ${LIMITS.company}`);
  const own = amountOf(fields[map.columns.amount ?? ''], map.decimal);
  if (typeof own === 'object') return bad('amount', `${map.columns.amount}: ${own.wrong}`);
  const amount = own ?? ofCase?.amount;
  const currency = value(map.columns.currency) || ofCase?.currency || map.currency;
  if (amount !== undefined && !isCurrency(currency))
    return bad(
      'currency',
      `${map.columns.currency ?? 'currency'}: is no ISO 4217 code: ${JSON.stringify((currency ?? '').slice(0, 40))}`,
    );
  const actor = value(map.columns.actor);
  const texts = {
    docNumber: value(map.columns.docNumber) || ofCase?.docNumber,
    state: value(map.columns.state),
  };
  const party = value(map.columns.party) || ofCase?.party;
  for (const text of [actor, texts.docNumber, texts.state, party])
    if (text && text.length > LIMITS.text)
      return bad('too-long', `a value is longer than ${LIMITS.text} characters`);

  const keys: Key[] = [...(ofCase?.keys ?? []), ...(row.keys ?? [])];
  for (const key of map.columns.keys) {
    const joined = joinedOf(fields, key.columns);
    if (joined.length > MAX_KEY)
      return bad('too-long', `${key.columns.join(', ')}: is longer than ${MAX_KEY}`);
    if (joined !== '') keys.push({ type: key.type, value: joined });
  }
  if (keys.length > LIMITS.keys)
    return bad('too-many-keys', `has ${keys.length} keys: ${LIMITS.keys} at most`);
  const attributes: Record<string, string> = { ...ofCase?.attributes };
  for (const name of attributeColumns(fields, reader)) if (value(name) !== '') attributes[name] = value(name);
  attributes.activity = activity;
  if (value(map.columns.role) !== '') attributes.role = value(map.columns.role);
  const long = Object.entries(attributes).find(
    ([name, text]) => text.length > LIMITS.attribute || name.length > LIMITS.attributeName,
  );
  if (long) return bad('too-long', `${long[0].slice(0, 80)}: is longer than ${LIMITS.attribute} characters`);

  const time = formatInstant(at);
  const told = JSON.stringify([source, subject, activity, time, value(map.columns.eventId)]);
  const first = hash('sha256', `${told}#0`, 'buffer');
  const same = reader.identical.next(first);
  const id = same === 0 ? first.toString('hex') : hash('sha256', `${told}#${same}`, 'hex');
  return {
    at,
    event: {
      id,
      source,
      type,
      version: 1,
      time,
      sequence: BigInt(sequence).toString(),
      company,
      subject,
      ingestPath: 'file',
      docNumber: texts.docNumber || undefined,
      state: texts.state || undefined,
      partyKey: party || undefined,
      amount,
      currency: amount === undefined ? undefined : currency,
      actorId: actor || undefined,
      actorKind: actor ? map.columns.actorKind : undefined,
      keys,
      attributes,
      data: '{}',
    },
  };
}

/** What is wrong with the time of an event; both in epoch nanoseconds. */
export function wrongTime(at: bigint, now: bigint): string | undefined {
  if (at < 0n || at >= END_OF_TIME) return 'must lie from 1970 to 2261';
  return at > now + NANOS_PER_DAY ? 'lies more than 24 hours ahead' : undefined;
}

const currencies = new Set<string>();

/** Is it an ISO 4217 code? Those seen are remembered, for a log has few. */
function isCurrency(text: string | undefined): boolean {
  if (text === undefined) return false;
  if (currencies.has(text)) return true;
  if (!currencyCode.safeParse(text).success) return false;
  currencies.add(text);
  return true;
}

const named = new WeakMap<ImportMap, ReadonlySet<string>>();

function attributeColumns(fields: Readonly<Record<string, string>>, { map, core }: RowReader): string[] {
  const listed = map.columns.attributes;
  if (listed !== '*') return listed;
  const taken = named.get(map) ?? new Set(namedColumns(map, core));
  named.set(map, taken);
  return Object.keys(fields).filter((name) => !taken.has(name));
}
