import type { OdooRecord, RecordKind } from './kind.ts';
import type { TrackedMessage } from './tracking.ts';

/** A stand-in for a text: the same for the same text, and nothing that leads back to it without the key. */
export type StandIn = (text: string) => string;

const hide = (value: unknown, standIn: StandIn): unknown =>
  typeof value === 'string' && value !== '' ? standIn(value) : value;

/** The record with stand-ins for what is hidden of its kind. */
export function hiddenIn({ hidden }: RecordKind, record: OdooRecord, standIn: StandIn): OdooRecord {
  if (!hidden) return record;
  const values = Object.fromEntries(
    Object.entries(record.values).map(([field, value]) => [
      field,
      hidden.includes(field) ? hide(value, standIn) : value,
    ]),
  );
  return { ...record, values };
}

/** The messages with stand-ins for what is hidden of their kind. */
export function hiddenInMessages(
  { hidden }: RecordKind,
  messages: readonly TrackedMessage[],
  standIn: StandIn,
): readonly TrackedMessage[] {
  if (!hidden) return messages;
  return messages.map((message) => ({
    ...message,
    changes: message.changes.map((change) =>
      hidden.includes(change.field)
        ? { ...change, before: hide(change.before, standIn), after: hide(change.after, standIn) }
        : change,
    ),
  }));
}
