import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type FieldInfo, fieldInfo } from '../../odoo/client.ts';
import { labelsOf } from '../../odoo/labels.ts';
import { modelsOf } from '../../odoo/models.ts';
import type { OdooRow } from '../../odoo/values.ts';
import { fixtures } from '../../test/harness.ts';
import { auditedChanges, auditLabelsOf } from './audit-log.ts';
import { changesOf, snapshotOf } from './changes.ts';
import { hiddenIn, hiddenInMessages } from './hidden.ts';
import type { OdooRecord, Surroundings } from './kind.ts';
import { kindOfModel } from './kinds.ts';
import { firstSight } from './teller.ts';
import { trackedMessages } from './tracking.ts';

/** What real servers answered to `name`: the result of the call. */
function recorded(server: string, name: string): unknown {
  const path = join(fixtures ?? '', 'odoo', server, `${name}.json`);
  const { response } = JSON.parse(readFileSync(path, 'utf8')) as { response: { json: { result?: unknown } } };
  return response.json.result;
}
const rows = (server: string, name: string) =>
  z.array(z.looseObject({ id: z.int() })).parse(recorded(server, name)) as OdooRow[];
const fieldsOf = (server: string, model: string): ReadonlyMap<string, FieldInfo> =>
  new Map(Object.entries(z.record(z.string(), fieldInfo).parse(recorded(server, `20-fields_get-${model}`))));

const MODELS = ['account.move', 'account.payment', 'purchase.order', 'res.partner.bank'];

/** The chatter of a record. */
function messagesOf(server: string, history: string) {
  const infos = new Map(MODELS.map((model) => [model, fieldsOf(server, model)]));
  const fields = new Map(
    rows(server, '21-ir.model.fields-tracked').map(({ id, model, name, ttype }) => [
      id,
      { model: String(model), name: String(name), type: String(ttype) },
    ]),
  );
  return trackedMessages(
    rows(server, `${history}-mail.message`),
    rows(server, `${history}-mail.tracking.value`),
    { fields, labels: labelsOf(infos) },
  );
}

/** The facts that it tells, with who and when. */
function told(server: string, history: string, record: OdooRecord): string[] {
  return messagesOf(server, history).flatMap(({ model, changes, userId }) =>
    (kindOfModel(model)?.changed(changes, record) ?? []).map(({ type }) => `${type} by ${userId}`),
  );
}

/** A record as the poller reads it: fields under the names of the newest version. */
function readAs(server: string, model: string, row: OdooRow): OdooRecord {
  const spec = modelsOf({ major: server === 'odoo18' ? 18 : 19 }).find((one) => one.model === model);
  return {
    id: row.id,
    values: Object.fromEntries((spec?.fields ?? []).map(({ as, name }) => [as, row[name]])),
  };
}

const around: Surroundings = {
  company: (id) => (id === 1 ? { key: 'acme', currency: 'USD', places: 2 } : undefined),
  currency: (id) => (id === 1 ? { code: 'USD', places: 2 } : undefined),
  other: () => undefined,
};

describe.skipIf(!fixtures)('what real servers recorded (skipped without the recordings)', () => {
  for (const server of ['odoo18', 'odoo19']) {
    const bill = (): OdooRecord =>
      readAs(server, 'account.move', rows(server, 'A13-bill-paid-read')[0] as OdooRow);

    test(`${server}: a bill is posted and paid in two parts, each once and by whom`, () => {
      expect(told(server, 'A18-bill-paid-history', bill())).toEqual([
        'bill.posted by 2',
        'bill.partiallypaid by 2',
        'bill.paid by 2',
      ]);
    });

    test(`${server}: an order of a limited buyer waits and is approved by another`, () => {
      const order = readAs(server, 'purchase.order', rows(server, 'N14-po-approved')[0] as OdooRow);
      const facts = told(server, 'N15-po-approval-history', order);
      expect(facts.map((fact) => fact.split(' ')[0])).toEqual([
        'purchaseorder.submitted',
        'purchaseorder.approved',
        'purchaseorder.confirmed',
      ]);
      expect(new Set(facts.map((fact) => fact.split(' by ')[1])).size).toBe(2);
    });

    test(`${server}: what its event says of a bill`, () => {
      const described = kindOfModel('account.move')?.describe(bill(), around);
      expect(described).toMatchObject({
        company: 1,
        period: '2026-11',
        object: { kind: 'bill', nativeModel: 'account.move', state: 'posted' },
        money: { amount: '1150.00', currency: 'USD', companyAmount: '1150.00', residual: '0.00' },
      });
      expect(described?.keys).toContainEqual({ type: 'docno', value: expect.stringMatching(/^BILL\/2026/) });
      expect(described?.keys).toContainEqual({
        type: 'supref',
        value: expect.stringContaining('NW-2026-0001'),
      });
    });

    test(`${server}: what is told of documents that are seen for the first time, with who did it`, () => {
      const tracked = (model: string): ReadonlySet<string> =>
        new Set(
          rows(server, '21-ir.model.fields-tracked').flatMap((row) =>
            row.model === model ? [String(row.name)] : [],
          ),
        );
      const story = (model: string, read: string, history: string): string[] => {
        const kind = kindOfModel(model);
        if (!kind) throw new Error('no kind');
        const record = readAs(server, model, rows(server, read)[0] as OdooRow);
        const messages = messagesOf(server, history).filter(({ recordId }) => recordId === record.id);
        return firstSight({ kind, record, messages, tracked: tracked(model) }).map(
          ({ fact, userId, inferred }) => `${fact.type} ${userId ?? '?'}${inferred ? ' inferred' : ''}`,
        );
      };
      expect(story('account.move', 'A13-bill-paid-read', 'A18-bill-paid-history')).toEqual([
        'bill.drafted 2',
        'bill.posted 2',
        'bill.partiallypaid 2',
        'bill.paid 2',
      ]);
      expect(story('account.move', 'A49-original-reversed', 'A46-original-history').at(-1)).toBe(
        'bill.reversed 2',
      );
      expect(story('account.move', 'A56-bill-cancelled', 'A57-reset-cancel-history')).toEqual([
        ...['bill.drafted 2', 'bill.posted 2', 'bill.resettodraft 2', 'bill.cancelled 2'],
      ]);
      expect(story('account.move', 'B15-invoice-paid-by-bank', 'B19-invoice-history')).toEqual([
        ...['invoice.drafted 2', 'invoice.posted 2', 'invoice.paid 2'],
      ]);
      // It was registered by a dialogue, in the transaction that made it: no change is recorded of that.
      expect(story('account.payment', 'A15-account.payment', 'A19-payment-history')).toContain(
        'payment.registered ? inferred',
      );
    });

    test(`${server}: the same bill without its history, by the difference of readings`, () => {
      const kind = kindOfModel('account.move');
      if (!kind) throw new Error('no kind');
      const draft = readAs(server, 'account.move', rows(server, 'A02-bill-draft-read')[0] as OdooRow);
      const before = snapshotOf(kind, draft);
      const after = bill();
      const changes = changesOf(kind, before, snapshotOf(kind, after));
      expect(kind.changed(changes, after).map(({ type }) => type)).toContain('bill.posted');
      expect(changesOf(kind, snapshotOf(kind, after), snapshotOf(kind, after))).toEqual([]);
    });

    test(`${server}: the same bill by the audit log, as an accountant may read it`, () => {
      const name =
        server === 'odoo18'
          ? 'P04-auditor-audit-log-when-enabled'
          : 'P01-auditor-mail.message-audit-log-fields';
      const labels = auditLabelsOf([fieldsOf(server, 'account.move')]);
      const kind = kindOfModel('account.move');
      const told = rows(server, name).map(({ id, account_audit_log_preview: preview }) => {
        const changes = auditedChanges(String(preview), labels, id);
        return [changes.map(({ field }) => field), kind?.changed(changes, bill()).map(({ type }) => type)];
      });
      expect(told).toEqual([
        [[], []],
        [['checked', 'name', 'state'], ['bill.posted']],
        [['payment_state'], ['bill.partiallypaid']],
        [['payment_state'], ['bill.paid']],
        [['ref'], ['bill.changed']],
      ]);
    });

    test(`${server}: account numbers of suppliers are known by stand-ins alone`, () => {
      const name = existsSync(join(fixtures ?? '', 'odoo', server, 'K14-bank-history-mail.message.json'))
        ? 'K14-bank-history'
        : 'K03-bank-history';
      const kind = kindOfModel('res.partner.bank');
      if (!kind) throw new Error('no kind');
      const account = readAs(
        server,
        'res.partner.bank',
        rows(server, 'K13-bank-account-after')[0] as OdooRow,
      );
      const number = String(account.values.acc_number);
      const standIn = (text: string): string => createHash('sha256').update(text).digest('hex');
      const record = hiddenIn(kind, account, standIn);
      const messages = hiddenInMessages(kind, messagesOf(server, name), standIn);
      const facts = messages.flatMap(({ changes }) => kind.changed(changes, record));
      expect(facts.map(({ type }) => type)).toContain('supplier.bankaccountchanged');
      const said = JSON.stringify([facts, kind.describe(record, around), snapshotOf(kind, record)]);
      expect(said).toContain(standIn(number));
      expect(said).not.toContain(number);
    });
  }
});
