import { idOf, instantOf, textOf } from '../../../odoo/values.ts';
import { recordKeys } from '../keys.ts';
import {
  type Change,
  changeOf,
  defined,
  type Fact,
  nowTrue,
  type OdooRecord,
  plainFact,
  type RecordKind,
  subjectOf,
  typesOf,
  wordOf,
} from '../kind.ts';

const MINUTES: Readonly<Record<string, number>> = {
  minutes: 1,
  hours: 60,
  days: 1440,
  weeks: 10_080,
  months: 43_200,
};
const LEAST_LATENESS_MINUTES = 15;

/** It should have run a whole interval ago, and a quarter of an hour at least. */
function isOverdue(values: OdooRecord['values'], now: string): boolean {
  const next = instantOf(values.nextcall);
  if (values.active !== true || !next) return false;
  const interval = Number(values.interval_number) * (MINUTES[String(values.interval_type)] ?? 1440);
  const allowed = Math.max(LEAST_LATENESS_MINUTES, Math.min(interval, 1440)) * 60_000;
  return Date.parse(next) + allowed < Date.parse(instantOf(now) ?? '');
}

/**
 * `ir.cron`: what Odoo does by itself. From 18 on it counts its failures; before, only that it does not run shows. Odoo writes when a
 * job ran past its own records, without a stamp.
 */
export const crons: RecordKind = {
  model: 'ir.cron',
  watched: ['active', 'failure_count', 'lastcall', 'overdue'],
  kept: ['cron_name'],
  types: typesOf('cron', ['failed', 'succeeded', 'late', 'activated', 'deactivated', 'deleted']),
  initial: { active: true, failure_count: 0, overdue: false },
  happenedAt: ({ values }, now) => (values.overdue === true ? now : values.lastcall),
  derive: (values, now) => ({ ...values, overdue: isOverdue(values, now) }),
  created: () => [],

  changed(changes) {
    const failures = changeOf(changes, 'failure_count');
    const ran = changeOf(changes, 'lastcall');
    const active = changeOf(changes, 'active');
    const overdue = changeOf(changes, 'overdue');
    return [
      ...nowTrue('cron.late', overdue),
      ...(failures && isMore(failures) ? [{ type: 'cron.failed', changes: [failures] }] : []),
      ...(ran && textOf(ran.after) && !(failures && isMore(failures))
        ? [{ type: 'cron.succeeded', changes: [ran] }]
        : []),
      ...(active
        ? [{ type: active.after === true ? 'cron.activated' : 'cron.deactivated', changes: [active] }]
        : []),
    ] satisfies Fact[];
  },

  deleted: () => [plainFact('cron.deleted')],

  describe({ id, values }) {
    return {
      company: undefined,
      object: {
        kind: 'cron',
        nativeModel: 'ir.cron',
        nativeId: String(id),
        state: values.active === true ? 'active' : 'inactive',
      },
      keys: recordKeys(subjectOf('ir.cron', id), {}),
      attributes: defined({
        name: textOf(values.cron_name),
        failures: typeof values.failure_count === 'number' ? String(values.failure_count) : undefined,
        next: textOf(values.nextcall),
      }) as Record<string, string>,
    };
  },
};

const isMore = ({ before, after }: Change): boolean => Number(after) > Number(before);

const OF_JOB: Readonly<Record<string, string>> = {
  done: 'received',
  failed: 'failed',
  cancelled: 'discarded',
};

/** `queue.job` of the OCA: work that Odoo does later, and may fail at. */
export const queueJobs: RecordKind = {
  model: 'queue.job',
  watched: ['state', 'retry'],
  kept: ['company_id', 'uuid'],
  types: typesOf('message', ['sent', ...Object.values(OF_JOB), 'retried']),
  initial: { state: 'pending', retry: 0 },
  created: () => [plainFact('message.sent')],

  changed(changes) {
    const state = changeOf(changes, 'state');
    const retry = changeOf(changes, 'retry');
    return [
      ...wordOf('message', state, OF_JOB),
      ...(retry && isMore(retry) && state?.after !== 'failed' && state?.after !== 'done'
        ? [{ type: 'message.retried', changes: [retry] }]
        : []),
    ];
  },

  deleted: () => [],

  describe({ id, values }) {
    return defined({
      company: idOf(values.company_id),
      object: defined({
        kind: 'message',
        nativeModel: 'queue.job',
        nativeId: String(id),
        state: textOf(values.state),
      }),
      keys: [
        ...recordKeys(subjectOf('queue.job', id), {}),
        ...(textOf(values.uuid) ? [{ type: 'message', value: String(values.uuid) }] : []),
      ],
      attributes: defined({
        channel: textOf(values.channel),
        method:
          [textOf(values.model_name), textOf(values.method_name)].filter(Boolean).join('.') || undefined,
        exception: textOf(values.exc_name),
      }) as Record<string, string>,
    });
  },
};

const OF_EDI: Readonly<Record<string, string>> = {
  to_send: 'queued',
  sent: 'sent',
  to_cancel: 'cancelrequested',
  cancelled: 'cancelled',
};

/** `account.edi.document`: an invoice on its electronic way. One that has an error waits until somebody acts. */
export const ediDocuments: RecordKind = {
  model: 'account.edi.document',
  watched: ['state', 'blocking_level'],
  kept: ['move_id'],
  types: typesOf('einvoice', [...Object.values(OF_EDI), 'failed']),
  initial: { state: false, blocking_level: false },
  created: () => [],

  changed(changes) {
    const level = changeOf(changes, 'blocking_level');
    return [
      ...wordOf('einvoice', changeOf(changes, 'state'), OF_EDI),
      ...(level?.after === 'error' ? [{ type: 'einvoice.failed', changes: [level] }] : []),
    ];
  },

  deleted: () => [],

  describe({ id, values }, around) {
    const entry = around.other('account.move', idOf(values.move_id));
    return {
      company: idOf(entry?.values.company_id),
      object: defined({
        kind: 'einvoice',
        nativeModel: 'account.edi.document',
        nativeId: String(id),
        state: textOf(values.state),
      }),
      keys: recordKeys(subjectOf('account.edi.document', id), {
        docno: textOf(entry?.values.name),
        subjects: [entry && subjectOf('account.move', entry.id)],
      }),
    };
  },
};
