import { idOf, instantOf, textOf } from '../../odoo/values.ts';
import { changesOf, type Snapshot, snapshotOf } from './changes.ts';
import type { Change, Fact, OdooRecord, RecordKind } from './kind.ts';
import { subjectOf } from './kind.ts';
import { changeEventId, recordedEventId, type TrackedMessage } from './tracking.ts';

/** A fact with when and by whom, and how that is known. */
export interface ToldFact {
  readonly id: string;
  readonly fact: Fact;
  readonly at: string;
  readonly userId: number | undefined;
  readonly inferred: boolean;
  /** Odoo recorded the change itself. */
  readonly isRecorded: boolean;
  readonly mappingErrors: readonly string[];
}

/** What a record is told from. */
export interface Reading {
  readonly kind: RecordKind;
  readonly record: OdooRecord;
  /** What was recorded of it: ever, for one that was never seen; else since it was last seen. */
  readonly messages: readonly TrackedMessage[];
  /** Fields whose changes Odoo records. */
  readonly tracked: ReadonlySet<string>;
  /** When and by whom it was last written, where that is not in the record itself. */
  readonly stamp?: Stamp | undefined;
}

export interface Stamp {
  readonly at: string;
  readonly userId: number | undefined;
}

/**
 * The facts of a record that is seen for the first time: that it was made, what it was by the time its first transaction ended, and
 * every change since that Odoo recorded. Fields that Odoo does not record are taken as they are now.
 */
export function firstSight(reading: Reading): ToldFact[] {
  const { kind, record, messages, tracked } = reading;
  const made = madeOf(record);
  const now = snapshotOf(kind, record);
  const beginning = beginningOf(kind, now, messages, tracked);
  const changes = changesOf(kind, undefined, beginning);
  const isRewritten = textOf(record.values.write_date) !== textOf(record.values.create_date);
  const later = reading.stamp ?? (isRewritten ? writtenOf(record) : made);
  const then = { ...record, values: { ...record.values, ...beginning } };
  const told = (facts: readonly Fact[], at: Stamp, inferred: boolean): ToldFact[] =>
    facts.map((fact) => seen(kind, record, fact, 'first', at, inferred));
  return [
    ...kind.created(record).map(
      (fact): ToldFact => ({
        id: `odoo:new:${subjectOf(kind.model, record.id)}`,
        fact,
        ...made,
        inferred: false,
        isRecorded: true,
        mappingErrors: [],
      }),
    ),
    // No change of a recorded field stands behind these: it had its value when its first transaction ended.
    ...told(kind.changed(only(changes, tracked, true), then), made, true),
    ...told(kind.changed(only(changes, tracked, false), record), later, true),
    ...recordedFacts(reading),
  ];
}

/** The facts of a record that is older than what is told of the past: what was recorded of it since. */
export const sinceThen = (reading: Reading): ToldFact[] => recordedFacts(reading);

/** The facts of a record that was seen before: what Odoo recorded since, and the differences of what it does not record. */
export function differences(
  reading: Reading,
  before: { readonly snapshot: Snapshot; readonly written: string },
): ToldFact[] {
  const { kind, record, tracked } = reading;
  // What Odoo should have recorded and did not, as its writer asked it not to, shows as a difference too.
  const recorded = new Set(reading.messages.flatMap(({ changes }) => changes.map(({ field }) => field)));
  const changes = changesOf(kind, before.snapshot, snapshotOf(kind, record)).filter(
    ({ field }) => !tracked.has(field) || !recorded.has(field),
  );
  const at = reading.stamp ?? writtenOf(record);
  return [
    ...recordedFacts(reading),
    ...kind.changed(changes, record).map((fact) => seen(kind, record, fact, before.written, at, true)),
  ];
}

/** The facts of a record that is gone, as it was last seen. */
export function goodbye(kind: RecordKind, record: OdooRecord, at: Stamp): ToldFact[] {
  return kind.deleted(record).map((fact) => ({
    id: `odoo:gone:${subjectOf(kind.model, record.id)}`,
    fact,
    ...at,
    inferred: true,
    isRecorded: false,
    mappingErrors: [],
  }));
}

/** The facts of recorded changes, oldest first; each is judged by what the record was then. */
function recordedFacts({ kind, record, messages }: Reading): ToldFact[] {
  const told: ToldFact[][] = [];
  let values = record.values;
  for (const message of messages.toReversed()) {
    // What a label stands for that no language knows any more is told by what the record was then.
    const known = message.changes.map((change) =>
      change.unmapped && change.field in values ? { ...change, after: values[change.field] } : change,
    );
    const facts = kind.changed(known, { id: record.id, values });
    const counts = new Map<string, number>();
    told.push(
      facts.map((fact) => {
        const changes = message.changes.filter((change) =>
          fact.changes.some(({ field }) => field === change.field),
        );
        const [first] = changes.map(({ recorded }) => recorded).sort(byNumber);
        const recorded = first ?? `msg:${message.id}`;
        const n = counts.get(recorded) ?? 0;
        counts.set(recorded, n + 1);
        return {
          id: recordedEventId(recorded, n),
          fact,
          at: message.at,
          userId: message.userId,
          inferred: false,
          isRecorded: true,
          mappingErrors: changes.filter(({ unmapped }) => unmapped).map(({ field }) => field),
        };
      }),
    );
    values = {
      ...values,
      ...Object.fromEntries(message.changes.map(({ field, before }) => [field, before])),
    };
  }
  return told.toReversed().flat();
}

const byNumber = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });

/** What a record was when the transaction that made it ended: before the first recorded change of each field. */
function beginningOf(
  kind: RecordKind,
  now: Snapshot,
  messages: readonly TrackedMessage[],
  tracked: ReadonlySet<string>,
): Snapshot {
  const first = new Map<string, unknown>();
  for (const { changes } of messages)
    for (const { field, before, unmapped } of changes)
      if (tracked.has(field) && field in now && !first.has(field))
        first.set(field, unmapped ? (kind.initial[field] ?? before) : before);
  return { ...now, ...Object.fromEntries(first) };
}

const only = (changes: readonly Change[], tracked: ReadonlySet<string>, wanted: boolean): Change[] =>
  changes.filter(({ field }) => tracked.has(field) === wanted);

const seen = (
  kind: RecordKind,
  record: OdooRecord,
  fact: Fact,
  since: string,
  at: Stamp,
  inferred: boolean,
): ToldFact => ({
  id: changeEventId(subjectOf(kind.model, record.id), fact.type, fact.changes, since),
  fact,
  ...at,
  inferred,
  isRecorded: false,
  mappingErrors: [],
});

/** When it was made, and by whom. */
const madeOf = ({ values }: OdooRecord): Stamp => ({
  at: instantOf(values.create_date) ?? instantOf(values.write_date) ?? BEGINNING,
  userId: idOf(values.create_uid),
});

/** When it was last written, and by whom. */
export const writtenOf = ({ values }: OdooRecord): Stamp => ({
  at: instantOf(values.write_date) ?? BEGINNING,
  userId: idOf(values.write_uid),
});

const BEGINNING = '1970-01-01T00:00:00Z';
