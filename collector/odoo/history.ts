import { LRUCache } from 'lru-cache';
import type { Odoo } from '../../odoo/client.ts';
import { type Labels, readLabels } from '../../odoo/labels.ts';
import { idOf, instantOf, type OdooRow, textOf } from '../../odoo/values.ts';
import { auditedChanges, readAuditLabels } from './audit-log.ts';
import { KINDS } from './kinds.ts';
import {
  type FieldOf,
  MESSAGE_FIELDS,
  TRACKING_FIELDS,
  type TrackedMessage,
  trackedMessages,
} from './tracking.ts';

/**
 * How an Odoo lets its past be read: `tracking`, every change of a tracked field with its author; `audit-log`, the same of journal
 * entries, as text that people read (18 and later); `difference`: not at all.
 */
export type HistoryMode = 'tracking' | 'audit-log' | 'difference';

/** The past of records, as Odoo recorded it. */
export interface History {
  readonly mode: HistoryMode;
  /** Fields of a model whose changes are recorded: what is not among them shows only as a difference of readings. */
  tracked(model: string): ReadonlySet<string>;
  /**
   * What was recorded of the records since (Odoo's time; undefined: ever), by record, oldest first. Changes that were made at the same
   * time as a record that was read are among them when this is asked after it was read.
   */
  of(
    model: string,
    ids: readonly number[],
    since: string | undefined,
  ): Promise<ReadonlyMap<number, readonly TrackedMessage[]>>;
  /**
   * Which documents had lines changed, as recorded after the tracking value, each value once: an edit of a line is told by its document,
   * which need not be written for it. Undefined `after`: only where the values end now.
   */
  editedLines(after: number | undefined): Promise<EditedLines>;
  /** Between the beginning and the end of the longest transaction that was seen, milliseconds. */
  longestMs(): number;
}

/** Documents whose lines were changed, by model, and the last tracking value that says so. */
export interface EditedLines {
  readonly documents: ReadonlyMap<string, ReadonlySet<number>>;
  readonly last: number;
}
const NO_LINES: EditedLines = { documents: new Map(), last: 0 };

/** What Odoo tracks of an entry, where it does not tell. */
const AUDITED: ReadonlySet<string> = new Set([
  'state',
  'payment_state',
  'checked',
  'name',
  'ref',
  'date',
  'partner_id',
  'partner_bank_id',
  'currency_id',
  'payment_reference',
]);
const NONE: ReadonlySet<string> = new Set();
const TYPES = ['notification', 'auto_comment'];
/** Values a call. */
const CHUNK = 2_000;

/** Finds out how the past can be read with this key, the best way first. Throws an OdooError. */
export async function openHistory(odoo: Odoo): Promise<History> {
  if (
    (await odoo.mayAccess('mail.tracking.value', 'read')) &&
    (await odoo.mayAccess('ir.model.fields', 'read'))
  )
    return await trackingHistory(odoo);
  const messages = await odoo.fieldsGet('mail.message');
  if (odoo.version.major >= 18 && messages?.has('account_audit_log_preview')) return await auditHistory(odoo);
  return {
    mode: 'difference',
    tracked: () => NONE,
    of: async () => new Map(),
    editedLines: async () => NO_LINES,
    longestMs: () => 0,
  };
}

/** The longest time between the beginning of a transaction (`create_date`) and a message of it (`date`). */
class Longest {
  ms = 0;

  note(messages: readonly OdooRow[]): void {
    for (const { date, create_date } of messages) {
      const [from, to] = [instantOf(create_date), instantOf(date)];
      if (from && to) this.ms = Math.max(this.ms, Date.parse(to) - Date.parse(from));
    }
  }
}

async function messagesOf(
  odoo: Odoo,
  model: string,
  ids: readonly number[],
  since: string | undefined,
  fields: readonly string[],
): Promise<OdooRow[]> {
  return await odoo.searchRead('mail.message', {
    domain: [
      ['model', '=', model],
      ['res_id', 'in', ids],
      ['message_type', 'in', TYPES],
      ...(since === undefined ? [] : [['date', '>=', since] as const]),
    ],
    fields,
    order: 'id',
  });
}

async function trackingHistory(odoo: Odoo): Promise<History> {
  const models = KINDS.map(({ model }) => model as string);
  const lines = ['account.move.line', 'purchase.order.line'];
  const described = await odoo.searchRead('ir.model.fields', {
    domain: [
      ['model', 'in', [...models, ...lines]],
      ['tracking', '!=', false],
      ['tracking', '!=', 0],
    ],
    fields: ['model', 'name', 'ttype'],
    order: 'id',
  });
  const fields = new Map<number, FieldOf>(
    described.map(({ id, model, name, ttype }) => [
      id,
      { model: String(model), name: String(name), type: String(ttype) },
    ]),
  );
  const byModel = new Map(
    Map.groupBy(fields.values(), ({ model }) => model)
      .entries()
      .map(([model, own]) => [model, new Set(own.map(({ name }) => name))] as const),
  );
  const labels: Labels = await readLabels(odoo, [...new Set([...byModel.keys()])]);
  const longest = new Longest();
  const edits = new LRUCache<number, true>({ max: 10_000 });
  return {
    mode: 'tracking',
    async editedLines(after) {
      const ofLines = [...fields].filter(([, { model }]) => lines.includes(model)).map(([id]) => id);
      const search = { fields: ['mail_message_id'], limit: CHUNK };
      const rows = await odoo.searchRead(
        'mail.tracking.value',
        after === undefined
          ? { ...search, domain: [['field_id', 'in', ofLines]], order: 'id desc', limit: 1 }
          : {
              ...search,
              domain: [
                ['field_id', 'in', ofLines],
                ['id', '>', after],
              ],
              order: 'id',
            },
      );
      const last = rows.reduce((most, { id }) => Math.max(most, id), after ?? 0);
      const fresh = rows.filter(({ id }) => !edits.has(id));
      if (after === undefined || fresh.length === 0) return { documents: new Map(), last };
      for (const { id } of fresh) edits.set(id, true);
      const messages = await odoo.read(
        'mail.message',
        [...new Set(fresh.flatMap((row) => idOf(row.mail_message_id) ?? []))],
        ['model', 'res_id'],
      );
      const byModel = Map.groupBy(messages, ({ model }) => String(model));
      const documents = new Map(
        [...byModel].map(([model, own]) => [model, new Set(own.map(({ res_id }) => Number(res_id)))]),
      );
      return { documents, last };
    },
    tracked: (model) => byModel.get(model) ?? NONE,
    longestMs: () => longest.ms,
    async of(model, ids, since) {
      if (ids.length === 0 || !byModel.has(model)) return new Map();
      const messages = await messagesOf(odoo, model, ids, since, MESSAGE_FIELDS);
      longest.note(messages);
      const values: OdooRow[] = [];
      for (let from = 0; from < messages.length; from += CHUNK) {
        const some = messages.slice(from, from + CHUNK).map(({ id }) => id);
        const domain = [['mail_message_id', 'in', some] as const];
        values.push(
          ...(await odoo.searchRead('mail.tracking.value', { domain, fields: TRACKING_FIELDS, order: 'id' })),
        );
      }
      return byRecord(trackedMessages(messages, values, { fields, labels }));
    },
  };
}

async function auditHistory(odoo: Odoo): Promise<History> {
  const labels = await readAuditLabels(odoo);
  const longest = new Longest();
  return {
    mode: 'audit-log',
    editedLines: async () => NO_LINES,
    tracked: (model) => (model === 'account.move' ? AUDITED : NONE),
    longestMs: () => longest.ms,
    async of(model, ids, since) {
      if (ids.length === 0 || model !== 'account.move') return new Map();
      const fields = [...MESSAGE_FIELDS, 'account_audit_log_preview'];
      const messages = await messagesOf(odoo, model, ids, since, fields);
      longest.note(messages);
      return byRecord(
        messages.flatMap((message): TrackedMessage[] => {
          const [at, recordId] = [instantOf(message.date), Number(message.res_id)];
          const text = textOf(message.account_audit_log_preview);
          if (!at || !(recordId > 0) || text === undefined) return [];
          const changes = auditedChanges(text, labels, message.id);
          return [{ id: message.id, model, recordId, at, userId: idOf(message.create_uid), changes }];
        }),
      );
    },
  };
}

const byRecord = (messages: readonly TrackedMessage[]): ReadonlyMap<number, readonly TrackedMessage[]> =>
  Map.groupBy(
    messages.filter(({ changes }) => changes.length > 0),
    ({ recordId }) => recordId,
  );
