import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { deprovision, type Made, planConnect, provision } from '../collector/odoo/provision.ts';
import { type OdooWatch, openOdooWatch } from '../collector/odoo/watch.ts';
import { hashOfSecret } from '../collector/odoo/webhook.ts';
import { connectOdoo } from '../odoo/client.ts';
import { createCounters } from '../store/counters.ts';
import { openPostgres, type Postgres } from '../store/postgres/database.ts';
import { openInbox } from '../store/postgres/inbox.ts';
import { addOdooSource, listOdooSources, removeOdooSource } from '../store/postgres/odoo-sources.ts';
import { createSealer } from '../store/sealed.ts';
import { temporaryFolder, until } from './harness.ts';
import { OdooStandIn, type StandInUser } from './stand-ins/odoo/server.ts';
import { keepingLogger } from './temporary-stores.ts';

const USERS: StandInUser[] = [
  { login: 'admin', secret: 'admin-secret', rights: 'settings' },
  { login: 'anna', secret: 'anna-secret', rights: 'settings', lang: 'de_DE' },
];
const PACE = { perSecond: 1000, parallel: 8 };
const SECRET = 'the-secret-of-the-webhooks';
const BILL = { move_type: 'in_invoice', company_id: 1, currency_id: 1, amount_total: 1150, partner_id: 3 };
const sealer = createSealer(() => 'a key for tests that is long enough');

let postgres: Postgres;
let folder: ReturnType<typeof temporaryFolder>;
const closing: (() => Promise<unknown>)[] = [];
let n = 0;
beforeAll(async () => {
  folder = temporaryFolder();
  postgres = await openPostgres({ dataDir: folder.path }, { logger: keepingLogger() });
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  await postgres.close();
  folder.remove();
});

/** An Odoo in which everything was made that `connect` makes, and a watch that polls it seldom. */
async function connected(
  major: number,
  {
    everyMs = 3_600_000,
    hooks = true,
    prepare,
  }: { everyMs?: number; hooks?: boolean; prepare?: (db: OdooStandIn['db']) => void } = {},
) {
  let ahead = 0;
  const now = () => new Date(Date.now() + ahead);
  const odoo = new OdooStandIn(major, USERS);
  const url = await odoo.listen();
  closing.push(() => odoo.close());
  prepare?.(odoo.db);
  const source = `/odoo/hooked-${++n}`;
  let watch: OdooWatch | undefined;
  const door: Server = createServer((request, response) => void watch?.handle(request, response));
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  closing.push(async () => door.close());
  const hookUrl = `http://127.0.0.1:${(door.address() as AddressInfo).port}${source}/${SECRET}`;
  const admin = await connectOdoo({
    url,
    login: 'admin',
    secret: 'admin-secret',
    database: 'acme',
    pace: PACE,
  });
  const plan = await planConnect(admin, { hooks: true });
  const made: Made[] = [];
  const reader = await provision(
    admin,
    plan,
    { readerLogin: undefined, hookUrl: hooks ? hookUrl : 'http://127.0.0.1:9/nobody' },
    (one) => made.push(one),
  );
  await addOdooSource(postgres, sealer, {
    ...{ source, url, database: 'acme', pace: PACE, by: 'test', historyFrom: new Date(0) },
    hookHash: hashOfSecret(SECRET).toString('hex'),
    reader: { login: reader.login, secret: reader.password ?? '' },
    liveFrom: new Date(Date.now() - 5_000),
    installed: { made, hooked: [...new Set(plan.hooks.map(({ model }) => model as string))] },
  });
  closing.push(() => removeOdooSource(postgres, source, 'test'));
  const counters = createCounters();
  watch = await openOdooWatch({
    ...{ postgres, sealer, counters, logger: keepingLogger(), now, everyMs },
    inbox: openInbox(postgres, { now }),
    companies: [{ key: 'acme', odoo: { source, id: 1 } }],
    spoolFolder: `${folder.path}/spool-${n}`,
    maxSpoolBytes: 1 << 20,
    isScheduled: true,
  });
  const open = watch;
  closing.push(() => open.close());
  const events = async () =>
    (await postgres.db.selectFrom('inbox').select('body').where('source', '=', source).execute())
      .map(
        ({ body }) =>
          body as unknown as { type: string; subject: string; ingestPath: string; actorId: string },
      )
      .filter(({ type }) => type !== 'account.balanceobserved');
  const state = async () => (await listOdooSources(postgres)).find((one) => one.source === source)?.state;
  await until(async () => (await state())?.backfill?.finishedAt, 30_000);
  return {
    ...{ odoo, admin, source, hookUrl, made, events, state, counters, url },
    outcomes: (name: string) =>
      Object.fromEntries(
        counters
          .snapshot()
          .filter((sample) => sample.name === name)
          .map(({ labels, value }) => [labels.outcome, value]),
      ),
    /** Lets time pass for the watch. */
    ahead: (ms: number) => {
      ahead += ms;
    },
    as: <T>(who: string, work: Parameters<typeof odoo.db.transaction<T>>[1]) =>
      odoo.db.transaction(odoo.uid(who), work),
    count: async (type: string) => (await events()).filter((event) => event.type === type).length,
  };
}

describe.each([17, 18, 19])('webhooks of an Odoo of %i', (major) => {
  test('tell of a posting at once; the poll that follows doubles nothing', async () => {
    const { odoo, as, events, count, state, source } = await connected(major, { everyMs: 1_500 });
    const bill = as('anna', (tx) => tx.create('account.move', BILL));
    as('anna', (tx) => tx.write('account.move', [bill], { state: 'posted', name: 'BILL/1' }));
    await until(async () => ((await count('bill.posted')) === 1 ? true : undefined), 10_000);
    expect(await Promise.all(odoo.hooks)).toEqual([202]);
    const rounds = (await state())?.rounds ?? 0;
    await until(async () => (((await state())?.rounds ?? 0) >= rounds + 3 ? true : undefined), 20_000);
    const told = (await events()).filter(({ type }) => type.startsWith('bill.'));
    expect(told.map(({ type, actorId }) => `${type} ${actorId}`).sort()).toEqual([
      `bill.drafted res.users/${odoo.uid('anna')}`,
      `bill.posted res.users/${odoo.uid('anna')}`,
    ]);
    const hints = await postgres.db
      .selectFrom('odoo_hints')
      .selectAll()
      .where('source', '=', source)
      .execute();
    expect(hints).toMatchObject([{ model: 'account.move', state: 'seen' }]);
  });

  test('an undone reconciliation is told at once, with its time and person', async () => {
    const { odoo, as, events } = await connected(major, {
      prepare: (db) =>
        db.transaction(2, (tx) => {
          const bill = tx.create('account.move', { ...BILL, state: 'posted', payment_state: 'paid' });
          const line = tx.create('account.move.line', { move_id: bill });
          const both = { debit_move_id: line, credit_move_id: line };
          tx.create('account.partial.reconcile', { ...both, amount: 10, company_id: 1 });
        }),
    });
    as('anna', (tx) => {
      tx.unlink('account.partial.reconcile', [1]);
      tx.write('account.move', [1], { payment_state: 'not_paid' });
    });
    const undone = async () => (await events()).filter(({ type }) => type === 'reconciliation.undone');
    const [told, ...others] = await until(
      async () => ((await undone()).length > 0 ? await undone() : undefined),
      20_000,
    );
    expect(others).toEqual([]);
    expect(told).toMatchObject({
      subject: 'account.partial.reconcile/1',
      actorId: `res.users/${odoo.uid('anna')}`,
    });
  });

  test('a burst of 500 in a second loses none', async () => {
    const { odoo, as, count, outcomes } = await connected(major);
    const bills = as('anna', (tx) => Array.from({ length: 500 }, () => tx.create('account.move', BILL)));
    for (const bill of bills)
      as('anna', (tx) => tx.write('account.move', [bill], { state: 'posted', name: `BILL/${bill}` }));
    expect(new Set(await Promise.all(odoo.hooks))).toEqual(new Set([202]));
    expect(odoo.hooks).toHaveLength(500);
    await until(async () => ((await count('bill.posted')) === 500 ? true : undefined), 60_000);
    expect(outcomes('closewatch_odoo_hook_requests')).toEqual({ taken: 500 });
  });

  test('what connect made can be taken away, all of it', async () => {
    const { admin, made, odoo } = await connected(major);
    const models = [...new Set(made.map(({ model }) => model))];
    expect(models.sort()).toEqual(
      [
        'base.automation',
        'ir.actions.server',
        'ir.model.access',
        'ir.rule',
        'res.groups',
        'res.users',
      ].sort(),
    );
    const removals = await deprovision(admin, made);
    expect(new Set(removals.map(({ outcome }) => outcome))).toEqual(new Set(['removed']));
    for (const { model, id } of made) expect(odoo.db.row(model, id)).toBeUndefined();
    expect(new Set((await deprovision(admin, made)).map(({ outcome }) => outcome))).toEqual(
      new Set(['absent']),
    );
  });
});

describe.each([17, 18])('an Odoo of %i, which sends within the transaction', (major) => {
  test('what was told before the commit is read back until it is there', async () => {
    const { odoo, count, source, outcomes } = await connected(major, {
      prepare: (db) => db.transaction(2, (tx) => tx.create('account.move', BILL)),
    });
    expect(await count('bill.drafted')).toBe(1);
    const tx = odoo.db.begin(odoo.uid('anna'));
    tx.write('account.move', [1], { state: 'posted', name: 'BILL/1' });
    tx.sendHooks();
    expect(await Promise.all(odoo.hooks)).toEqual([202]);
    const hints = () =>
      postgres.db.selectFrom('odoo_hints').selectAll().where('source', '=', source).execute();
    // Read back in vain at least once.
    await until(async () => (await hints()).find((hint) => hint.due_at > hint.last_at), 20_000);
    expect(await count('bill.posted')).toBe(0);
    tx.commit();
    await until(async () => ((await count('bill.posted')) === 1 ? true : undefined), 60_000);
    await until(async () => (await hints()).find(({ state }) => state === 'seen'), 20_000);
    expect(outcomes('closewatch_odoo_hints')).toEqual({ confirmed: 1 });
  });

  test('what was rolled back is counted as a phantom after ten minutes, and is no event', async () => {
    const { odoo, as, count, outcomes, ahead, events } = await connected(major, { everyMs: 1_000 });
    const bill = as('anna', (tx) => tx.create('account.move', BILL));
    await until(async () => ((await count('bill.drafted')) === 1 ? true : undefined), 20_000);
    const tx = odoo.db.begin(odoo.uid('anna'));
    tx.write('account.move', [bill], { state: 'posted', name: 'BILL/1' });
    tx.sendHooks();
    expect(await Promise.all(odoo.hooks)).toEqual([202]);
    await until(
      async () => (await postgres.db.selectFrom('odoo_hints').select('state').execute())[0],
      10_000,
    );
    ahead(11 * 60_000);
    await until(async () => outcomes('closewatch_odoo_hints').phantom, 90_000);
    expect((await events()).map(({ type }) => type)).toEqual(['bill.drafted']);
  });
});

test('changes of which no webhook tells are found by the poll, and the webhook is missed', async () => {
  const { as, count, outcomes, ahead, state } = await connected(18, { everyMs: 500, hooks: false });
  const bill = as('anna', (tx) => tx.create('account.move', BILL));
  as('anna', (tx) => tx.write('account.move', [bill], { state: 'posted', name: 'BILL/1' }));
  await until(async () => ((await count('bill.posted')) === 1 ? true : undefined), 20_000);
  const rounds = (await state())?.rounds ?? 0;
  await until(async () => (((await state())?.rounds ?? 0) > rounds ? true : undefined), 20_000);
  ahead(2 * 60_000);
  expect(await until(async () => outcomes('closewatch_odoo_hints').missed, 20_000)).toBe(1);
});

test('the reader sees tracking values and may change nothing; a stranger learns nothing', async () => {
  const { url, source, hookUrl, admin } = await connected(19);
  const [user] = await admin.searchRead('res.users', {
    domain: [['login', '=', 'closewatch-reader']],
    fields: ['password'],
  });
  const reader = await connectOdoo({
    ...{ url, login: 'closewatch-reader', secret: String(user?.password), database: 'acme', pace: PACE },
  });
  expect(await reader.mayAccess('mail.tracking.value', 'read')).toBe(true);
  for (const operation of ['write', 'create', 'unlink'] as const)
    expect(await reader.mayAccess('account.move', operation)).toBe(false);
  const post = (address: string) =>
    fetch(address, { method: 'POST', body: '{"_model":"account.move","_id":1}' });
  expect((await post(hookUrl.replace(SECRET, 'another'))).status).toBe(404);
  expect((await post(hookUrl.replace(source, '/odoo/nobody'))).status).toBe(404);
});
