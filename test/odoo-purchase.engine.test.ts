import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closewatch, environment, temporaryFolder, type Up, until, up } from './harness.ts';
import { OdooStandIn } from './stand-ins/odoo/server.ts';

/** A purchase in a connected Odoo, from the order to the payment, as a person sees it who asks for its case. */
const folder = temporaryFolder();
const data = join(folder.path, 'data');
const TRACE = 'cd'.repeat(16);
let odoo: OdooStandIn;
let running: Up;
let url: string;
const secretFile = join(folder.path, 'secret');
const run = (...args: string[]) => closewatch(args, environment(data));

beforeAll(async () => {
  odoo = new OdooStandIn(18, [
    { login: 'admin', secret: 'admin-secret', rights: 'settings' },
    { login: 'anna', secret: 'anna-secret', rights: 'settings', lang: 'de_DE' },
    { login: 'auditor', secret: 'auditor-secret', rights: 'accountant' },
  ]);
  url = await odoo.listen();
  writeFileSync(secretFile, 'admin-secret\n');
  running = await up(data);
});
afterAll(async () => {
  await running?.kill();
  await odoo?.close();
  folder.remove();
});

test('what connect would make is shown, and nothing is made', async () => {
  const given = ['--url', url, '--login', 'admin', '--secret-file', secretFile];
  const plan = await run('odoo', 'connect', ...given, '--plan');
  expect(plan, plan.stderr).toMatchObject({ code: 0 });
  expect(plan.stdout).toContain('a group "Closewatch reader"');
  expect(plan.stdout).toContain('1  YourCompany  is prod-1');
  expect(odoo.db.rows('res.groups').map(({ name }) => name)).not.toContain('Closewatch reader');
  expect(await run('odoo', 'connect', ...given)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--yes'),
  });
  const wrong = await run(
    'odoo',
    'connect',
    '--url',
    url,
    '--login',
    'anna',
    '--secret-file',
    secretFile,
    '--yes',
  );
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('does not take this login') });
});

test('connect makes a reader and webhooks, tries them, and tells what it found', async () => {
  odoo.db.transaction(2, (tx) =>
    tx.create('account.move', { move_type: 'entry', company_id: 1, currency_id: 1 }),
  );
  const connected = await run(
    ...['odoo', 'connect', '--url', url, '--login', 'admin', '--secret-file', secretFile, '--yes', '--json'],
    ...['--calls-per-second', '200'],
  );
  expect(connected, connected.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(connected.stdout)).toMatchObject({
    source: '/odoo/prod',
    history: 'tracking',
    reader: 'closewatch-reader',
    hooks: true,
    webhookTest: 'received',
    companies: [{ id: 1, key: 'prod-1' }],
    missing: [],
  });
  expect(connected.stdout + connected.stderr).not.toContain('admin-secret');
  const again = await run(
    'odoo',
    'connect',
    '--url',
    url,
    '--login',
    'admin',
    '--secret-file',
    secretFile,
    '--yes',
  );
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('connected already') });
});

test('the case of the order shows order, receipt, bill, payment and the spans of them', async () => {
  const [admin, anna] = [odoo.uid('admin'), odoo.uid('anna')];
  const as = <T>(who: number, work: Parameters<typeof odoo.db.transaction<T>>[1]) =>
    odoo.db.transaction(who, work);
  const company = { company_id: 1, currency_id: 1, partner_id: 3 };
  const order = as(admin, (tx) =>
    tx.create('purchase.order', { ...company, name: 'P00042', amount_total: 1150, user_id: admin }),
  );
  as(admin, (tx) => tx.write('purchase.order', [order], { state: 'to approve' }));
  as(anna, (tx) => tx.write('purchase.order', [order], { state: 'purchase' }));
  const receipt = as(anna, (tx) =>
    tx.create('stock.picking', {
      ...{ company_id: 1, partner_id: 3, name: 'WH/IN/00007', origin: 'P00042', purchase_id: order },
      picking_type_code: 'incoming',
    }),
  );
  as(admin, (tx) =>
    tx.write('stock.picking', [receipt], { state: 'done', date_done: '2026-11-22 10:00:00' }),
  );
  const bill = as(admin, (tx) =>
    tx.create('account.move', {
      ...company,
      ...{
        move_type: 'in_invoice',
        commercial_partner_id: 3,
        amount_total: 1150,
        invoice_origin: 'P00042',
        ref: 'NW-1',
      },
    }),
  );
  as(anna, (tx) => tx.write('account.move', [bill], { state: 'posted', name: 'BILL/2026/11/0001' }));
  const payment = as(admin, (tx) =>
    tx.create('account.payment', {
      ...company,
      ...{
        payment_type: 'outbound',
        amount: 1150,
        name: 'PBNK1/2026/00001',
        invoice_ids: [bill],
        state: 'in_process',
      },
    }),
  );
  as(admin, (tx) => tx.write('account.move', [bill], { payment_state: 'paid' }));

  const token = await run('token', 'create', '--source', '/odoo/prod', '--company', 'prod-1', '--json');
  const at = BigInt(Date.now()) * 1_000_000n;
  const span = {
    ...{ traceId: TRACE, spanId: 'ef'.repeat(8), name: 'post bill', kind: 1 },
    ...{ startTimeUnixNano: `${at}`, endTimeUnixNano: `${at + 50_000_000n}` },
    attributes: [
      { key: 'odoo.model', value: { stringValue: 'account.move' } },
      { key: 'odoo.record.ids', value: { stringValue: String(bill) } },
    ],
  };
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'odoo' } }] };
  const sent = await fetch(`${running.collectorUrl}/v1/traces`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${JSON.parse(token.stdout).token}`,
    },
    body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] }),
  });
  expect(sent.status).toBe(200);

  interface Case {
    caseOf: {
      documents: { kind: string; subject: string }[];
      timeline: {
        kind: string;
        event: { type: string } | null;
        span: { name: string; traceId: string } | null;
      }[];
    } | null;
  }
  const ask = `{ caseOf(company: "prod-1", source: "/odoo/prod", subject: "purchase.order/${order}") {
    documents { kind subject } timeline { kind event { type } span { name traceId } } } }`;
  const found = await until(async () => {
    const { caseOf } = await running.graphql<Case>(ask);
    const types = caseOf?.timeline.flatMap(({ event }) => event?.type ?? []) ?? [];
    const isWhole =
      types.includes('bill.paid') &&
      types.includes('payment.registered') &&
      types.includes('goodsreceipt.recorded');
    const hasSpan = caseOf?.timeline.some(({ span: one }) => one?.traceId === TRACE);
    return isWhole && hasSpan ? caseOf : undefined;
  }, 90_000);
  expect(new Set(found?.documents.map(({ subject }) => subject))).toEqual(
    new Set([
      `purchase.order/${order}`,
      `stock.picking/${receipt}`,
      `account.move/${bill}`,
      `account.payment/${payment}`,
    ]),
  );
  const types = found?.timeline.flatMap(({ event }) => event?.type ?? []) ?? [];
  expect(types.filter((type) => /^(purchaseorder|bill)\./.test(type)).sort()).toEqual([
    ...['bill.drafted', 'bill.paid', 'bill.posted'],
    ...[
      'purchaseorder.approved',
      'purchaseorder.confirmed',
      'purchaseorder.drafted',
      'purchaseorder.submitted',
    ],
  ]);
});

test('doctor explains how it goes; disconnect takes away what was made', async () => {
  const reader = odoo.db.rows('res.users').find(({ login }) => login === 'closewatch-reader');
  odoo.db.transaction(1, (tx) => {
    const soon = new Date(Date.now() + 3.5 * 86_400_000).toISOString().slice(0, 19).replace('T', ' ');
    tx.create('res.users.apikeys', { name: 'closewatch', user_id: reader?.id, expiration_date: soon });
  });
  const doctor = await run('odoo', 'doctor', '--json');
  expect(doctor, doctor.stdout).toMatchObject({ code: 0 });
  const [{ checks }] = JSON.parse(doctor.stdout).odoos;
  const of = (name: string) => checks.find((check: { name: string }) => check.name === name);
  expect(of('connection')).toMatchObject({ state: 'ok' });
  expect(of('history')).toMatchObject({ state: 'ok' });
  expect(of('API key')).toMatchObject({
    state: 'note',
    finding: '"closewatch" of the reader ends in 3 days',
  });
  expect(of('sale.order')).toMatchObject({ state: 'note', finding: 'is not there (module sale)' });
  expect((await run('odoo', 'list')).stdout).toMatch(/^\/odoo\/prod {2}http.* Odoo 18\.0/);

  const gone = await run(
    'odoo',
    'disconnect',
    'prod',
    '--login',
    'admin',
    '--secret-file',
    secretFile,
    '--yes',
    '--json',
  );
  expect(gone, gone.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(gone.stdout).disconnected).toBe(true);
  for (const model of ['ir.rule', 'ir.model.access', 'base.automation', 'ir.actions.server'])
    expect(odoo.db.rows(model)).toEqual([]);
  expect(odoo.db.rows('res.users').map(({ login }) => login)).not.toContain('closewatch-reader');
  expect((await run('odoo', 'list')).stdout).toContain('No Odoo is connected');
  expect(await run('odoo', 'disconnect', 'prod', '--yes')).toMatchObject({ code: 1 });
});

test('an accountant connects without a change in Odoo; a writer is kept apart, and taken away', async () => {
  const auditorFile = join(folder.path, 'auditor');
  writeFileSync(auditorFile, 'auditor-secret');
  const connected = await run(
    ...[
      'odoo',
      'connect',
      '--url',
      url,
      '--name',
      'books',
      '--login',
      'auditor',
      '--secret-file',
      auditorFile,
    ],
    ...['--read-only', '--yes', '--json'],
  );
  expect(connected, connected.stderr).toMatchObject({ code: 0 });
  const told = JSON.parse(connected.stdout);
  expect(told).toMatchObject({
    source: '/odoo/books',
    history: 'audit-log',
    reader: 'auditor',
    hooks: false,
  });
  expect(told.missing).toContainEqual({
    right: 'read mail.tracking.value',
    consequence: expect.stringContaining('inferred'),
  });
  expect(odoo.db.rows('res.groups').map(({ name }) => name)).not.toContain('Closewatch reader');
  const writer = ['odoo', 'writer', 'books', '--login', 'admin'];
  expect(await run(...writer, '--secret-file', auditorFile)).toMatchObject({ code: 1 });
  expect(await run(...writer, '--secret-file', secretFile)).toMatchObject({ code: 0 });
  const listed = async () => JSON.parse((await run('odoo', 'list', '--json')).stdout);
  expect(await listed()).toMatchObject([{ source: '/odoo/books', hasWriter: true, login: 'auditor' }]);
  expect(JSON.stringify(await listed())).not.toContain('secret');
  expect(await run('odoo', 'writer', 'books', '--remove')).toMatchObject({ code: 0 });
  expect(await listed()).toMatchObject([{ hasWriter: false }]);
  expect(await run('odoo', 'disconnect', 'books', '--forget', '--yes')).toMatchObject({ code: 0 });
  expect(await listed()).toEqual([]);
});
