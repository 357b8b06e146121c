import { createHash } from 'node:crypto';
import type { Labels } from '../../odoo/labels.ts';
import { idOf, instantOf, type OdooRow, textOf } from '../../odoo/values.ts';
import type { Change } from './kind.ts';

/** The fields of `mail.tracking.value` that are read. */
export const TRACKING_FIELDS = [
  'mail_message_id',
  'field_id',
  'old_value_integer',
  'old_value_float',
  'old_value_char',
  'old_value_text',
  'old_value_datetime',
  'new_value_integer',
  'new_value_float',
  'new_value_char',
  'new_value_text',
  'new_value_datetime',
] as const;

/** The fields of `mail.message` that are read. */
export const MESSAGE_FIELDS = [
  'date',
  'message_type',
  'subtype_id',
  'author_id',
  'create_uid',
  'create_date',
  'model',
  'res_id',
] as const;

/** A message of a record: what changed of it in one transaction, when, and by whom. */
export interface TrackedMessage {
  readonly id: number;
  readonly model: string;
  readonly recordId: number;
  /** When the transaction began, to the second. */
  readonly at: string;
  /** The user whose transaction it was. */
  readonly userId: number | undefined;
  readonly changes: readonly TrackedChange[];
}

export interface TrackedChange extends Change {
  /** What Odoo recorded it in, `mtv:114`: unique in an Odoo, and the same however often it is read. */
  readonly recorded: string;
  /** A label of a choice that no installed language knows: kept as it is. */
  readonly unmapped: boolean;
}

/** A field of Odoo, as `ir.model.fields` names it. */
export interface FieldOf {
  readonly model: string;
  readonly name: string;
  /** `selection`, `many2one`, `monetary` … */
  readonly type: string;
}

/** Before the name of a field of the lines of an entry, whose changes stand in the entry's own messages. */
const LINES: Readonly<Record<string, readonly [model: string, prefix: string]>> = {
  'account.move': ['account.move.line', 'line_ids/'],
  'purchase.order': ['purchase.order.line', 'order_line/'],
};

/**
 * The messages with their changes, in the order of their ids. Fields that cannot be named, of lines and of what is not read,
 * are left out.
 */
export function trackedMessages(
  messages: readonly OdooRow[],
  trackings: readonly OdooRow[],
  by: { readonly fields: ReadonlyMap<number, FieldOf>; readonly labels: Labels },
): TrackedMessage[] {
  const ofMessage = Map.groupBy(trackings, (row) => idOf(row.mail_message_id) ?? 0);
  return messages.flatMap((message): TrackedMessage[] => {
    const [model, recordId] = [textOf(message.model), Number(message.res_id)];
    const at = instantOf(message.date);
    if (model === undefined || !at || !(recordId > 0)) return [];
    const changes = (ofMessage.get(message.id) ?? []).flatMap((row) => {
      const field = by.fields.get(idOf(row.field_id) ?? 0);
      const name = field && nameIn(model, field);
      return field && name !== undefined ? [changeOf(row, name, field, by.labels)] : [];
    });
    return [{ id: message.id, model, recordId, at, userId: idOf(message.create_uid), changes }];
  });
}

/** What a message of `model` calls the field: one of its own, or one of its lines. */
function nameIn(model: string, field: FieldOf): string | undefined {
  if (field.model === model) return field.name;
  const [lines, prefix] = LINES[model] ?? [];
  return field.model === lines ? `${prefix}${field.name}` : undefined;
}

/** Odoo keeps a value in a column by its type: a boolean as a number, a date with a time, a choice as its label. */
function changeOf(
  row: OdooRow,
  name: string,
  { model, name: field, type }: FieldOf,
  labels: Labels,
): TrackedChange {
  const side = (name: 'old' | 'new'): { value: unknown; unmapped: boolean } => {
    const get = (column: string): unknown => row[`${name}_value_${column}`];
    switch (type) {
      case 'boolean':
        return { value: get('integer') === 1, unmapped: false };
      case 'many2one':
        return { value: idOf(get('integer')) ?? false, unmapped: false };
      case 'integer':
        return { value: get('integer'), unmapped: false };
      case 'float':
      case 'monetary':
        return { value: get('float'), unmapped: false };
      case 'date':
        return { value: textOf(get('datetime'))?.slice(0, 10) ?? false, unmapped: false };
      case 'datetime':
        return { value: textOf(get('datetime')) ?? false, unmapped: false };
      case 'selection': {
        const label = textOf(get('char'));
        if (label === undefined) return { value: false, unmapped: false };
        const value = labels.valueOf(model, field, label);
        return { value: value ?? label, unmapped: value === undefined };
      }
      default:
        return { value: textOf(get('char')) ?? textOf(get('text')) ?? false, unmapped: false };
    }
  };
  const [before, after] = [side('old'), side('new')];
  return {
    field: name,
    before: before.value,
    after: after.value,
    recorded: `mtv:${row.id}`,
    unmapped: before.unmapped || after.unmapped,
  };
}

/** The id of an event of a recorded change, `odoo:mtv:114`; `n` tells apart several facts of one change. */
export const recordedEventId = (recorded: string, n: number): string =>
  n === 0 ? `odoo:${recorded}` : `odoo:${recorded}:${n}`;

/**
 * The id of an event that no tracking value stands behind. `since` is when the record had last been written when it was seen before: a
 * change that is found again, because what was found of it was not kept, has the same id, and the same change later has another.
 */
export function changeEventId(
  subject: string,
  type: string,
  changes: readonly Change[],
  since: string,
): string {
  const said = JSON.stringify([subject, type, changes.map(({ field, after }) => [field, after]), since]);
  return `odoo:seen:${createHash('sha256').update(said).digest('hex').slice(0, 32)}`;
}
