import type { OdooValue } from '../../odoo/values.ts';
import type { Change, OdooRecord, RecordKind } from './kind.ts';

/**
 * What is kept of a record: its watched fields, to tell its changes by, and those that say what it was. In one form whatever
 * read them.
 */
export type Snapshot = Readonly<Record<string, OdooValue>>;

/** What is kept of a record; fields that this version does not have are left out. */
export const snapshotOf = ({ watched, kept }: RecordKind, { values }: OdooRecord): Snapshot =>
  Object.fromEntries(
    [...watched, ...kept].flatMap((field) => (field in values ? [[field, plain(values[field])]] : [])),
  );

/** A many2one is its id, whether it came with its name or not; an empty text is none. */
function plain(value: OdooValue): OdooValue {
  if (Array.isArray(value) && value.length === 2 && typeof value[1] !== 'number') return value[0] ?? false;
  return value === '' || value === undefined || value === null ? false : value;
}

/**
 * The fields that differ, in the order in which they are watched. A record that was never seen is compared with how it began; a
 * field that was not read before, as its version had none, has not changed.
 */
export function changesOf(kind: RecordKind, before: Snapshot | undefined, now: Snapshot): Change[] {
  const from = before ?? kind.initial;
  return kind.watched.flatMap((field): Change[] => {
    if (!(field in now) || !(field in from)) return [];
    const [was, is] = [plain(from[field]), now[field]];
    return JSON.stringify(was) === JSON.stringify(is) ? [] : [{ field, before: was, after: is }];
  });
}
