import { afterEach, describe, expect, test } from 'vitest';
import { changesOf, snapshotOf } from '../collector/odoo/changes.ts';
import { eventOf } from '../collector/odoo/event.ts';
import { plainFact } from '../collector/odoo/kind.ts';
import { kindOfModel } from '../collector/odoo/kinds.ts';
import {
  changeEventId,
  MESSAGE_FIELDS,
  recordedEventId,
  TRACKING_FIELDS,
  trackedMessages,
} from '../collector/odoo/tracking.ts';
import { connectOdoo, type Odoo } from '../odoo/client.ts';
import { inspectModels, pictureOf, schemaChanges } from '../odoo/inspect.ts';
import { readLabels } from '../odoo/labels.ts';
import { OdooStandIn, type StandInUser } from './stand-ins/odoo/server.ts';

const USERS: StandInUser[] = [
  { login: 'admin', secret: 'admin-secret', rights: 'settings' },
  { login: 'anna', secret: 'anna-secret', rights: 'settings', lang: 'de_DE' },
  { login: 'auditor', secret: 'auditor-secret', rights: 'accountant' },
  { login: 'reader', secret: 'reader-secret', rights: 'reader' },
];
const PACE = { perSecond: 1000, parallel: 8 };
let server: OdooStandIn | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(major: number): Promise<{ odoo: OdooStandIn; as: (login: string) => Promise<Odoo> }> {
  const odoo = new OdooStandIn(major, USERS);
  server = odoo;
  const url = await odoo.listen();
  return {
    odoo,
    as: (login) => connectOdoo({ url, login, secret: `${login}-secret`, database: 'acme', pace: PACE }),
  };
}

const BILL = { move_type: 'in_invoice', company_id: 1, currency_id: 1, amount_total: 1150, partner_id: 3 };

describe.each([17, 18, 19])('an Odoo of %i, as the stand-in has it', (major) => {
  test('is read by the way of its version, with what it has of each model', async () => {
    const { as } = await start(major);
    const odoo = await as('reader');
    expect(odoo).toMatchObject({ protocol: major >= 19 ? 'json2' : 'jsonrpc', version: { major } });
    const reports = await inspectModels(odoo);
    const states = Object.fromEntries(reports.map(({ model, state }) => [model, state]));
    expect(states).toMatchObject({
      'account.move': 'ready',
      'purchase.order': 'ready',
      'queue.job': 'ready',
      'account.edi.document': 'absent',
    });
    expect(states['account.lock_exception']).toBe(major >= 18 ? 'ready' : undefined);
    const move = reports.find(({ model }) => model === 'account.move');
    expect(move?.missing).toEqual([]);
    expect(move?.fields.find(({ as: name }) => name === 'origin_payment_id')?.name).toBe(
      major >= 18 ? 'origin_payment_id' : 'payment_id',
    );
    const before = pictureOf(reports);
    expect(schemaChanges(before, before)).toEqual([]);
    const { state: _, ...others } = before['account.move'] as Record<string, string>;
    expect(schemaChanges({ ...before, 'account.move': others, 'account.edi.document': {} }, before)).toEqual([
      { model: 'account.move', field: 'state', before: 'absent', now: 'selection(draft,posted,cancel)' },
      { model: 'account.edi.document', field: undefined, before: 'ready', now: 'absent' },
    ]);
  });

  test('tells a posting by a German with its technical values, and who it was', async () => {
    const { odoo: server, as } = await start(major);
    const odoo = await as('reader');
    const anna = server.uid('anna');
    const id = server.db.transaction(anna, (tx) => tx.create('account.move', BILL));
    server.db.transaction(anna, (tx) =>
      tx.write('account.move', [id], {
        state: 'posted',
        name: 'BILL/2026/11/0001',
        invoice_date: '2026-11-22',
      }),
    );
    expect(server.db.rows('mail.tracking.value').map((row) => row.new_value_char)).toContain('Gebucht');
    const messages = await odoo.searchRead('mail.message', {
      domain: [
        ['model', '=', 'account.move'],
        ['res_id', '=', id],
      ],
      fields: MESSAGE_FIELDS,
      order: 'id',
    });
    const trackings = await odoo.searchRead('mail.tracking.value', {
      domain: [['mail_message_id', 'in', messages.map((message) => message.id)]],
      fields: TRACKING_FIELDS,
      order: 'id',
    });
    const described = await odoo.searchRead('ir.model.fields', {
      domain: [['tracking', '>', 0]],
      fields: ['model', 'name', 'ttype'],
    });
    const fields = new Map(
      described.map((row) => [
        row.id,
        { model: String(row.model), name: String(row.name), type: String(row.ttype) },
      ]),
    );
    const labels = await readLabels(odoo, ['account.move']);
    const [created, posted] = trackedMessages(messages, trackings, { fields, labels });
    expect(created?.changes).toEqual([]);
    expect(posted).toMatchObject({ model: 'account.move', recordId: id, userId: anna });
    expect(posted?.changes).toContainEqual({
      field: 'state',
      before: 'draft',
      after: 'posted',
      recorded: expect.stringMatching(/^mtv:\d+$/),
      unmapped: false,
    });
  });

  test('keeps tracking values from an accountant, who reads the books', async () => {
    const { as } = await start(major);
    const odoo = await as('auditor');
    expect(await odoo.searchCount('account.move', [])).toBe(0);
    await expect(
      odoo.searchRead('mail.tracking.value', { domain: [], fields: ['field_id'] }),
    ).rejects.toMatchObject({ code: 'odoo.access' });
    expect(await odoo.mayAccess('mail.tracking.value', 'read')).toBe(false);
    expect(await odoo.mayAccess('account.move', 'write')).toBe(false);
  });

  test('shows what a transaction wrote when it ends, stamped with its beginning', async () => {
    const { odoo: server, as } = await start(major);
    const odoo = await as('reader');
    server.db.now = () => new Date('2027-11-22T10:57:00.500Z');
    const tx = server.db.begin(1);
    const id = tx.create('account.move', BILL);
    const quick = server.db.transaction(1, (other) => other.create('account.move', BILL));
    const ids = async () =>
      (
        await odoo.searchRead('account.move', {
          domain: [['write_date', '>=', tx.at.slice(0, 19)]],
          fields: ['id'],
          order: 'write_date, id',
        })
      ).map((row) => row.id);
    expect(await ids()).toEqual([quick]);
    tx.commit();
    expect(await ids()).toEqual([id, quick]);
    const second = tx.at.slice(0, 19);
    const behind = await odoo.searchCount('account.move', [['write_date', '>', second]]);
    // 17 and 18 compare microseconds, and give back what lies within the second.
    expect(behind).toBe(major >= 19 ? 0 : 2);
  });
});

describe('the event of a fact', () => {
  const kind = kindOfModel('account.move');
  if (!kind) throw new Error('no kind');
  const around = {
    company: () => ({ key: 'acme', currency: 'EUR', places: 2 }),
    currency: () => ({ code: 'EUR', places: 2 }),
    other: () => undefined,
  };
  const record = {
    id: 42,
    values: { ...BILL, state: 'posted', name: 'BILL/1', date: '2026-11-22', ref: 'NW-1' },
  };
  const told = {
    source: '/odoo/prod',
    companyKey: 'acme',
    subject: 'account.move/42',
    actor: { userId: 7, kind: 'human' },
    mappingErrors: [],
    description: kind.describe(record, around),
    url: 'https://odoo.example/odoo/account.move/42',
  } as const;

  test('says what, when, who and how sure, and names the record as spans do', () => {
    const changes = changesOf(kind, undefined, snapshotOf(kind, record)).filter(
      ({ field }) => field === 'state',
    );
    const [fact] = kind.changed(changes, record);
    if (!fact) throw new Error('no fact');
    const { event } = eventOf({
      ...told,
      fact,
      id: recordedEventId('mtv:111', 0),
      at: '2026-11-22T10:57:00Z',
      inferred: false,
      path: 'tracking',
    });
    expect(event).toMatchObject({
      id: 'odoo:mtv:111',
      source: '/odoo/prod',
      type: 'bill.posted',
      subject: 'account.move/42',
      company: 'acme',
      ingestPath: 'tracking',
      docNumber: 'BILL/1',
      state: 'posted',
      amount: '1150.00',
      currency: 'EUR',
      actorId: 'res.users/7',
      actorKind: 'human',
      partyKey: 'res.partner/3',
    });
    expect(event.keys).toEqual([
      { type: 'docno', value: 'BILL/1' },
      { type: 'supref', value: 'res.partner/3/NW-1' },
    ]);
    expect(JSON.parse(event.data)).toMatchObject({
      object: { kind: 'bill', previousState: 'draft' },
      quality: { inferred: false, changes: [{ field: 'state', before: 'draft', after: 'posted' }] },
    });
  });

  test('has the same hash when it is told again later, and another id when it happens again', () => {
    const change = { field: 'state', before: 'draft', after: 'posted' };
    const fact = { type: 'bill.posted', changes: [change] };
    const seen = (since: string, at: string) =>
      eventOf({
        ...told,
        fact,
        id: changeEventId('account.move/42', fact.type, fact.changes, since),
        at,
        inferred: true,
        path: 'poll',
      });
    const first = seen('2026-11-22 10:00:00', '2026-11-22T10:57:00Z');
    const again = seen('2026-11-22 10:00:00', '2026-11-22T11:30:00Z');
    const later = seen('2026-11-22 12:00:00', '2026-11-22T12:30:00Z');
    expect([again.event.id, again.bodyHash]).toEqual([first.event.id, first.bodyHash]);
    expect(later.event.id).not.toBe(first.event.id);
    expect(first.event.attributes.inferred).toBe('true');
  });

  test('a creation is told by when and by whom the record was made', () => {
    expect(kind.created(record)).toEqual([plainFact('bill.drafted')]);
  });
});
