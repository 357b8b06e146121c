import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { HistoryMode } from '../collector/odoo/history.ts';
import { Watcher } from '../collector/odoo/watcher.ts';
import { eventData } from '../model/event.ts';
import { openPostgres, type Postgres } from '../store/postgres/database.ts';
import { openInbox } from '../store/postgres/inbox.ts';
import { addOdooSource, listOdooSources, removeOdooSource } from '../store/postgres/odoo-sources.ts';
import { createSealer } from '../store/sealed.ts';
import { temporaryFolder } from './harness.ts';
import { OdooStandIn, type StandInUser } from './stand-ins/odoo/server.ts';
import { keepingLogger } from './temporary-stores.ts';

const USERS: StandInUser[] = [
  { login: 'admin', secret: 'admin-secret', rights: 'settings' },
  { login: 'anna', secret: 'anna-secret', rights: 'settings', lang: 'de_DE' },
  { login: 'auditor', secret: 'auditor-secret', rights: 'accountant' },
  { login: 'reader', secret: 'reader-secret', rights: 'reader' },
];
const sealer = createSealer(() => 'a key for tests that is long enough');
const BILL = { move_type: 'in_invoice', company_id: 1, currency_id: 1, amount_total: 1150, partner_id: 3 };
const BEGINNING = Date.UTC(2026, 10, 22, 10);

let postgres: Postgres;
let folder: ReturnType<typeof temporaryFolder>;
let n = 0;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  folder = temporaryFolder();
  postgres = await openPostgres({ dataDir: folder.path }, { logger: keepingLogger() });
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(async () => {
  await postgres.close();
  folder.remove();
});

interface Told {
  readonly id: string;
  readonly type: string;
  readonly time: string;
  readonly subject: string;
  readonly company: string;
  readonly actorId: string | null;
  readonly ingestPath: string;
  readonly attributes: Record<string, string>;
  readonly amount?: string;
  readonly data: string;
  readonly keys: readonly { type: string; value: string }[];
}

/** An Odoo with a watcher on it, and a clock that both go by. */
async function watch(major: number, login = 'reader', users = USERS) {
  let now = BEGINNING;
  const odoo = new OdooStandIn(major, users, () => new Date(now));
  const url = await odoo.listen();
  closing.push(() => odoo.close());
  const source = `/odoo/test-${++n}`;
  const clock = () => new Date(now);
  const connect = async (liveFrom = clock()): Promise<void> => {
    await addOdooSource(postgres, sealer, {
      ...{ source, url, database: 'acme', hookHash: undefined, by: 'test' },
      reader: { login, secret: `${login}-secret` },
      pace: { perSecond: 1000, parallel: 8 },
      liveFrom,
      historyFrom: new Date(0),
      installed: { made: [], hooked: [] },
    });
  };
  const watcherOf = async (): Promise<Watcher> => {
    const configured = (await listOdooSources(postgres)).find((one) => one.source === source);
    if (!configured) throw new Error('not connected');
    const inbox = openInbox(postgres, { now: clock });
    const companies = [{ key: 'acme', odoo: { source, id: 1 } }];
    return new Watcher(configured, {
      postgres,
      inbox,
      sealer,
      logger: keepingLogger(),
      companies,
      now: clock,
    });
  };
  closing.push(() => removeOdooSource(postgres, source, 'test'));
  return {
    odoo,
    source,
    connect,
    watcherOf,
    /** Lets time pass. */
    pass: (ms: number) => {
      now += ms;
    },
    as: <T>(who: string, work: Parameters<typeof odoo.db.transaction<T>>[1]) =>
      odoo.db.transaction(odoo.uid(who), work),
    events: async (): Promise<Told[]> => {
      const rows = await postgres.db
        .selectFrom('inbox')
        .select('body')
        .where('source', '=', source)
        .execute();
      return rows
        .map(({ body }) => body as unknown as Told)
        .filter(({ type }) => type !== 'account.balanceobserved')
        .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    },
    state: async () =>
      (await listOdooSources(postgres)).find((one) => one.source === source)?.state as NonNullable<
        Awaited<ReturnType<typeof listOdooSources>>[number]
      >['state'],
  };
}

const said = (events: readonly Told[]): string[] =>
  events.map(({ type, time, actorId }) => `${type} ${time.slice(11, 19)} ${actorId}`);

test('a company that was made while this ran is told of like any other', async () => {
  const { source, connect, watcherOf, pass, as, events } = await watch(18);
  await connect();
  const watcher = await watcherOf();
  await watcher.once();
  pass(5_000);
  const globex = as('admin', (tx) => tx.create('res.company', { name: 'Globex', currency_id: 1 }));
  as('admin', (tx) => tx.create('account.move', { ...BILL, company_id: globex, amount_total_signed: -1150 }));
  await watcher.once();
  const key = `${source.replace('/odoo/', '')}-${globex}`;
  const [told, ...others] = await events();
  expect(others).toEqual([]);
  expect(told).toMatchObject({ type: 'bill.drafted', company: key, companyCurrency: 'USD' });
});

test('companies are told apart, and so are Odoos', async () => {
  const [first, second] = [await watch(18), await watch(19)];
  const globex = first.as('admin', (tx) => tx.create('res.company', { name: 'Globex', currency_id: 1 }));
  const watchers = [];
  for (const one of [first, second]) {
    await one.connect();
    watchers.push(await one.watcherOf());
  }
  first.pass(1_000);
  first.as('admin', (tx) => {
    tx.create('account.move', BILL);
    tx.create('account.move', { ...BILL, company_id: globex });
    tx.create('res.partner.bank', { acc_number: 'BE68 5390 0754 7034', partner_id: 3 });
  });
  second.pass(1_000);
  second.as('admin', (tx) => tx.create('account.move', BILL));
  for (const watcher of watchers) await watcher.once();
  const told = async (one: typeof first) =>
    (await one.events()).map(({ type, company }) => `${type} ${company}`).sort();
  const name = first.source.replace('/odoo/', '');
  expect(await told(first)).toEqual(
    ['bill.drafted acme', `bill.drafted ${name}-${globex}`, 'supplier.bankaccountadded acme'].sort(),
  );
  expect(await told(second)).toEqual(['bill.drafted acme']);
  const ids = [...(await first.events()), ...(await second.events())].map(({ id }) => id);
  expect(new Set(ids).size).toBeLessThan(ids.length);
});

/** What happens to bills: by whom, after how long, in a transaction of which length; what is said of it, if anything. */
const STEPS: Readonly<
  Record<
    string,
    (state: string, payment: string) => [values: Record<string, unknown>, fact: string] | undefined
  >
> = {
  post: (state) => (state === 'draft' ? [{ state: 'posted' }, 'posted'] : undefined),
  reset: (state, payment) =>
    state === 'posted' && payment === 'not_paid' ? [{ state: 'draft' }, 'resettodraft'] : undefined,
  pay: (state, payment) =>
    state === 'posted' && payment !== 'paid' ? [{ payment_state: 'paid' }, 'paid'] : undefined,
  part: (state, payment) =>
    state === 'posted' && payment === 'not_paid'
      ? [{ payment_state: 'partial' }, 'partiallypaid']
      : undefined,
  undo: (state, payment) =>
    state === 'posted' && payment !== 'not_paid' ? [{ payment_state: 'not_paid' }, 'unpaid'] : undefined,
  touch: () => [{ amount_total: 1150 }, ''],
};
const step = fc.record({
  bill: fc.nat({ max: 3 }),
  what: fc.constantFrom(...Object.keys(STEPS)),
  by: fc.constantFrom('admin', 'anna'),
  afterMs: fc.integer({ min: 0, max: 40_000 }),
  lastsMs: fc.constantFrom(0, 0, 0, 8_000, 90_000, 400_000),
  next: fc.constantFrom('round', 'round', 'nothing', 'restart', 'down'),
});

test.each([17, 19])(
  'whatever happens, however long it takes and whenever it is read: each transition once, by whom: Odoo %i',
  async (major) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const { odoo, connect, watcherOf, pass, as, events, source } = await watch(major);
        await connect();
        let watcher = await watcherOf();
        const truth: string[] = [];
        const bills = as('admin', (tx) => [0, 1, 2, 3].map(() => tx.create('account.move', BILL)));
        for (const id of bills) truth.push(`bill.drafted ${id} ${odoo.uid('admin')}`);
        const now = bills.map(() => ({ state: 'draft', payment: 'not_paid', isBusy: false }));
        let open: { at: number; end: () => void }[] = [];
        let clock = 0;
        const advance = (ms: number): void => {
          pass(ms);
          clock += ms;
          for (const { end } of open.filter(({ at }) => at <= clock)) end();
          open = open.filter(({ at }) => at > clock);
        };
        for (const { bill, what, by, afterMs, lastsMs, next } of steps) {
          advance(afterMs + 1_000);
          const [id, own] = [bills[bill] as number, now[bill] as (typeof now)[number]];
          const done = own.isBusy ? undefined : STEPS[what]?.(own.state, own.payment);
          if (done) {
            const [values, fact] = done;
            const tx = odoo.db.begin(odoo.uid(by));
            tx.write('account.move', [id], values);
            own.isBusy = true;
            const end = (): void => {
              tx.commit();
              own.isBusy = false;
              own.state = (values as { state?: string }).state ?? own.state;
              own.payment = (values as { payment_state?: string }).payment_state ?? own.payment;
              if (fact) truth.push(`bill.${fact} ${id} ${odoo.uid(by)}`);
            };
            if (lastsMs === 0) end();
            else open.push({ at: clock + lastsMs, end });
          }
          if (next === 'restart') watcher = await watcherOf();
          if (next === 'down') advance(1_200_000);
          if (next !== 'nothing') await watcher.once();
        }
        advance(400_000);
        for (let i = 0; i < 4; i++) {
          await watcher.once();
          advance(301_000);
        }
        const told = (await events()).map(
          ({ type, subject, actorId }) => `${type} ${subject.split('/')[1]} ${String(actorId).split('/')[1]}`,
        );
        expect(told.sort()).toEqual(truth.sort());
        await removeOdooSource(postgres, source, 'test');
        await odoo.close();
      }),
      { numRuns: 40 },
    );
  },
);

describe.each([17, 18, 19])('an Odoo of %i', (major) => {
  test('tells what a bill went through, each once, when and by whom', async () => {
    const { odoo, connect, watcherOf, pass, as, events, state } = await watch(major);
    await connect();
    const watcher = await watcherOf();
    await watcher.once();
    pass(5_000);
    const bill = as('admin', (tx) => tx.create('account.move', BILL));
    pass(60_000);
    as('anna', (tx) => tx.write('account.move', [bill], { state: 'posted', name: 'BILL/2026/11/0001' }));
    pass(20_000);
    await watcher.once();
    pass(30_000);
    as('admin', (tx) => tx.write('account.move', [bill], { payment_state: 'partial' }));
    as('admin', (tx) => tx.write('account.move', [bill], { payment_state: 'paid' }));
    pass(10_000);
    await watcher.once();
    await watcher.once();
    const [admin, anna] = [odoo.uid('admin'), odoo.uid('anna')].map((id) => `res.users/${id}`);
    const told = await events();
    expect(said(told)).toEqual([
      `bill.drafted 10:00:05 ${admin}`,
      `bill.posted 10:01:05 ${anna}`,
      `bill.partiallypaid 10:01:55 ${admin}`,
      `bill.paid 10:01:55 ${admin}`,
    ]);
    expect(told.map(({ attributes }) => attributes.inferred)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(told.every(({ company }) => company === 'acme')).toBe(true);
    for (const { data, keys } of told)
      expect(eventData.safeParse({ ...JSON.parse(data), keys }).error).toBeUndefined();
    expect(told[1]?.attributes.url).toContain(String(bill));
    expect(await state()).toMatchObject({
      history: 'tracking' satisfies HistoryMode,
      version: expect.stringContaining(`${major}.0`),
    });
  });

  test('misses nothing of a transaction that commits 8 seconds late', async () => {
    const { odoo, connect, watcherOf, pass, as, events } = await watch(major);
    const drafts = as('admin', (tx) => Array.from({ length: 400 }, () => tx.create('account.move', BILL)));
    pass(1_000);
    await connect();
    const watcher = await watcherOf();
    await watcher.backfill();
    pass(60_000);
    await watcher.once();
    pass(1_000);
    const late = odoo.db.begin(odoo.uid('anna'));
    for (const id of drafts) late.write('account.move', [id], { state: 'posted', name: `BILL/${id}` });
    for (let second = 0; second < 8; second++) {
      pass(1_000);
      await watcher.once();
    }
    late.commit();
    pass(1_000);
    await watcher.once();
    const posted = (await events()).filter(({ type }) => type === 'bill.posted');
    expect(posted).toHaveLength(400);
    expect(new Set(posted.map(({ subject }) => subject)).size).toBe(400);
    expect(new Set(posted.map(({ actorId }) => actorId))).toEqual(new Set([`res.users/${odoo.uid('anna')}`]));
  });

  test('finds what commits after the overlap of two rounds, by its sweeps', async () => {
    const { odoo, connect, watcherOf, pass, events, state } = await watch(major);
    await connect();
    const watcher = await watcherOf();
    await watcher.once();
    pass(1_000);
    const late = odoo.db.begin(odoo.uid('admin'));
    late.create('account.move', { ...BILL, state: 'posted', name: 'BILL/LATE' });
    for (let minute = 0; minute < 9; minute++) {
      pass(60_000);
      await watcher.once();
    }
    late.commit();
    for (let minute = 0; minute < 6; minute++) {
      pass(60_000);
      await watcher.once();
    }
    expect((await events()).map(({ type }) => type).sort()).toEqual(['bill.drafted', 'bill.posted']);
    expect((await state()).lateRows).toBe(0);
  });

  test('finds what had begun before it was down, and ended while it was', async () => {
    const { odoo, connect, watcherOf, pass, events } = await watch(major);
    await connect();
    const watcher = await watcherOf();
    await watcher.once();
    pass(60_000);
    const late = odoo.db.begin(odoo.uid('admin'));
    late.create('account.move', { ...BILL, state: 'posted', name: 'BILL/LATE' });
    for (let minute = 0; minute < 3; minute++) {
      pass(60_000);
      await watcher.once();
    }
    late.commit();
    pass(12 * 3_600_000);
    await (await watcherOf()).once();
    expect((await events()).map(({ type }) => type).sort()).toEqual(['bill.drafted', 'bill.posted']);
  });

  test('makes nothing of writes that change nothing, however many', async () => {
    const { connect, watcherOf, pass, as, events } = await watch(major);
    await connect();
    const watcher = await watcherOf();
    pass(1_000);
    const bills = as('admin', (tx) => Array.from({ length: 300 }, () => tx.create('account.move', BILL)));
    await watcher.once();
    const before = (await events()).length;
    pass(60_000);
    as('admin', (tx) => tx.write('account.move', bills, { amount_total: 1150 }));
    await watcher.once();
    expect((await events()).length).toBe(before);
  });

  test('tells what is gone: a draft that was deleted, a reconciliation that was undone', async () => {
    const { odoo, connect, watcherOf, pass, as, events } = await watch(major);
    await connect();
    const watcher = await watcherOf();
    await watcher.backfill();
    pass(1_000);
    const [bill, draft] = as('admin', (tx) => [
      tx.create('account.move', { ...BILL, name: 'BILL/1' }),
      tx.create('account.move', BILL),
    ]);
    const lines = as('admin', (tx) => [
      tx.create('account.move.line', { move_id: bill }),
      tx.create('account.move.line', { move_id: bill }),
    ]);
    pass(1_000);
    const partial = as('admin', (tx) => {
      tx.write('account.move', [Number(bill)], { payment_state: 'paid' });
      return tx.create('account.partial.reconcile', {
        ...{ debit_move_id: lines[0], credit_move_id: lines[1], amount: 1150, company_id: 1 },
      });
    });
    await watcher.once();
    pass(40_000);
    as('anna', (tx) => {
      tx.unlink('account.partial.reconcile', [partial]);
      tx.write('account.move', [Number(bill)], { payment_state: 'not_paid' });
    });
    as('admin', (tx) => tx.unlink('account.move', [Number(draft)]));
    pass(10_000);
    await watcher.once();
    const undone = (await events()).filter(({ type }) => type === 'reconciliation.undone');
    expect(said(undone)).toEqual([`reconciliation.undone 10:00:42 res.users/${odoo.uid('anna')}`]);
    expect(undone[0]).toMatchObject({ company: 'acme', amount: '1150.00' });
    pass(5 * 60_000);
    await watcher.once();
    const types = (await events()).map(({ type, subject }) => `${type} ${subject}`);
    expect(types.filter((one) => one === `bill.deleted account.move/${draft}`)).toHaveLength(1);
    expect(types.filter((one) => one.startsWith('bill.unpaid'))).toHaveLength(1);
  });

  test('tells of scheduled jobs that ran, failed or are late, though they are not stamped', async () => {
    const { odoo, connect, watcherOf, pass, as, events } = await watch(major);
    const job = as('admin', (tx) =>
      tx.create('ir.cron', { cron_name: 'Post', nextcall: '2026-11-22 10:01:00', interval_type: 'minutes' }),
    );
    pass(1_000);
    await connect();
    const watcher = await watcherOf();
    await watcher.once();
    // As Odoo does it, past its own records.
    const put = (values: object) =>
      odoo.db.put('ir.cron', { ...(odoo.db.row('ir.cron', job) as { id: number }), ...values });
    pass(65_000);
    put({ lastcall: '2026-11-22 10:01:02', nextcall: '2026-11-22 10:02:02' });
    await watcher.once();
    pass(60_000);
    if (major >= 18)
      put({ lastcall: '2026-11-22 10:02:03', nextcall: '2026-11-22 10:03:03', failure_count: 1 });
    await watcher.once();
    pass(20 * 60_000);
    await watcher.once();
    await watcher.once();
    const told = (await events()).filter(({ type }) => type.startsWith('cron.'));
    expect(told.map(({ type, time }) => `${type} ${time.slice(11, 16)}`)).toEqual([
      'cron.succeeded 10:01',
      ...(major >= 18 ? ['cron.failed 10:02'] : []),
      'cron.late 10:22',
    ]);
  });

  test('of what was made before the past begins, tells what happened since', async () => {
    const { odoo, connect, watcherOf, pass, as, events } = await watch(major);
    const bill = as('admin', (tx) => tx.create('account.move', BILL));
    pass(3_600_000);
    await connect();
    await postgres.db
      .updateTable('odoo_sources')
      .set({ history_from: new Date(BEGINNING + 60_000) })
      .execute();
    const watcher = await watcherOf();
    await watcher.backfill();
    expect(await events()).toEqual([]);
    pass(60_000);
    as('anna', (tx) => tx.write('account.move', [bill], { state: 'posted', name: 'BILL/1' }));
    await watcher.once();
    expect(said(await events())).toEqual([`bill.posted 11:01:00 res.users/${odoo.uid('anna')}`]);
  });

  test('tells of a posted entry whose line was edited, though it was not written itself', async () => {
    const { odoo, connect, watcherOf, pass, as, events } = await watch(major);
    const [bill, line] = as('admin', (tx) => {
      const id = tx.create('account.move', { ...BILL, state: 'posted', name: 'BILL/1' });
      return [id, tx.create('account.move.line', { move_id: id, account_id: 400 })];
    }) as [number, number];
    pass(1_000);
    await connect();
    const watcher = await watcherOf();
    await watcher.backfill();
    await watcher.once();
    for (const account_id of [401, 402]) {
      pass(6 * 60_000);
      as('anna', (tx) => tx.write('account.move.line', [line], { account_id }));
      pass(6 * 60_000);
      await watcher.once();
    }
    const changed = (await events()).filter(({ type }) => type === 'bill.changed');
    const anna = `res.users/${odoo.uid('anna')}`;
    expect(said(changed)).toEqual([`bill.changed 10:06:01 ${anna}`, `bill.changed 10:18:01 ${anna}`]);
    expect(JSON.parse(changed[0]?.data ?? '').quality.changes).toEqual([
      { field: 'line_ids/account_id', before: '400', after: '401' },
    ]);
    expect(changed.every(({ subject }) => subject === `account.move/${bill}`)).toBe(true);
  });

  test('tells what was ordered, received and billed, line by line', async () => {
    const { connect, watcherOf, pass, as, events } = await watch(major);
    await connect();
    const watcher = await watcherOf();
    await watcher.once();
    pass(5_000);
    const company = { company_id: 1, currency_id: 1, partner_id: 3 };
    const [order, line] = as('admin', (tx) => {
      const id = tx.create('purchase.order', { ...company, name: 'P00042', amount_total: 30 });
      const own = { order_id: id, product_id: 7, product_qty: 3, price_unit: 10, price_subtotal: 30 };
      return [id, tx.create('purchase.order.line', own)];
    }) as [number, number];
    as('admin', (tx) => tx.write('purchase.order', [order], { state: 'purchase' }));
    as('admin', (tx) => {
      const receipt = tx.create('stock.picking', {
        ...{ name: 'WH/IN/1', origin: 'P00042', company_id: 1 },
        picking_type_code: 'incoming',
      });
      tx.create('stock.move', {
        picking_id: receipt,
        product_id: 7,
        purchase_line_id: line,
        quantity: 2,
        state: 'done',
      });
      tx.write('stock.picking', [receipt], { state: 'done' });
    });
    as('admin', (tx) => {
      const bill = tx.create('account.move', {
        ...BILL,
        invoice_origin: 'P00042',
        state: 'posted',
        name: 'BILL/1',
      });
      const own = { move_id: bill, product_id: 7, purchase_line_id: line, quantity: 3, price_unit: 10.005 };
      tx.create('account.move.line', { ...own, price_subtotal: 30.02, account_id: 400, tax_ids: [5] });
    });
    await watcher.once();
    const linesOf = async (type: string) =>
      (await events()).filter((event) => event.type === type).map(({ data }) => JSON.parse(data).lines);
    const poline = `purchase.order.line/${line}`;
    const product = 'product.product/7';
    expect(await linesOf('purchaseorder.confirmed')).toEqual([
      [{ poline, product, qty: '3', price: '10', amount: '30' }],
    ]);
    expect(await linesOf('goodsreceipt.recorded')).toEqual([[{ poline, product, qty: '2' }]]);
    const account = 'account.account/400';
    expect(await linesOf('bill.posted')).toEqual([
      [{ poline, product, qty: '3', price: '10.005', amount: '30.02', account, tax: ['5'] }],
    ]);
    expect(await linesOf('bill.drafted')).toEqual([undefined]);
  });

  test('reads history as history, and goes on after an interruption', async () => {
    const { odoo, connect, watcherOf, pass, as, events } = await watch(major);
    const bills = as('admin', (tx) => Array.from({ length: 1200 }, () => tx.create('account.move', BILL)));
    pass(60_000);
    as('anna', (tx) => tx.write('account.move', bills.slice(0, 700), { state: 'posted', name: 'BILL/OLD' }));
    pass(60_000);
    await connect();
    await (await watcherOf()).once();
    pass(60_000);
    // A live change to what is not read yet.
    as('anna', (tx) =>
      tx.write('account.move', bills.slice(1000, 1001), { state: 'posted', name: 'BILL/NEW' }),
    );
    const watcher = await watcherOf();
    await watcher.once();
    await watcher.backfill();
    const told = (await events()).filter(({ type }) => type.startsWith('bill.'));
    const posted = told.filter(({ type }) => type === 'bill.posted');
    expect(told.filter(({ type }) => type === 'bill.drafted')).toHaveLength(1200);
    expect(posted).toHaveLength(701);
    const live = told.filter(({ ingestPath }) => ingestPath !== 'backfill');
    expect(live.map(({ type, subject }) => `${type} ${subject}`)).toEqual([
      `bill.posted account.move/${bills[1000]}`,
    ]);
    expect(posted.filter(({ actorId }) => actorId === `res.users/${odoo.uid('anna')}`)).toHaveLength(701);
  });

  test('goes on where it was when Odoo was down for a while', async () => {
    const { odoo, connect, watcherOf, pass, as, events, state } = await watch(major);
    await connect();
    const watcher = await watcherOf();
    await watcher.once();
    odoo.isDown = true;
    await expect(watcher.once()).rejects.toThrow();
    for (let hour = 0; hour < 3; hour++) {
      pass(3_600_000);
      as('admin', (tx) => tx.create('account.move', { ...BILL, state: 'posted', name: `BILL/${hour}` }));
    }
    odoo.isDown = false;
    await watcher.once();
    expect((await events()).filter(({ type }) => type === 'bill.posted')).toHaveLength(3);
    expect((await state()).error).toBeUndefined();
  });

  test('knows without tracking values what it can know, and says that it is inferred', async () => {
    const { odoo, connect, watcherOf, pass, as, events, state } = await watch(major, 'auditor');
    await connect();
    const watcher = await watcherOf();
    await watcher.once();
    pass(5_000);
    const bill = as('admin', (tx) => tx.create('account.move', BILL));
    await watcher.once();
    pass(60_000);
    as('anna', (tx) => tx.write('account.move', [bill], { state: 'posted', name: 'BILL/2026/11/0001' }));
    await watcher.once();
    const posted = (await events()).filter(({ type }) => type === 'bill.posted');
    expect(said(posted)).toEqual([`bill.posted 10:01:05 res.users/${odoo.uid('anna')}`]);
    expect((await state()).history).toBe(major >= 18 ? 'audit-log' : 'difference');
    if (major === 17) expect(posted[0]?.attributes.inferred).toBe('true');
  });

  test('knows the difference of readings where the audit log is off', async () => {
    const { odoo, connect, watcherOf, pass, as, events } = await watch(major, 'auditor');
    odoo.db.isAudited = false;
    await connect();
    const watcher = await watcherOf();
    await watcher.once();
    pass(5_000);
    const bill = as('admin', (tx) => tx.create('account.move', BILL));
    await watcher.once();
    pass(60_000);
    as('anna', (tx) => tx.write('account.move', [bill], { state: 'posted', name: 'BILL/2026/11/0001' }));
    await watcher.once();
    const posted = (await events()).filter(({ type }) => type === 'bill.posted');
    expect(said(posted)).toEqual([`bill.posted 10:01:05 res.users/${odoo.uid('anna')}`]);
    expect(posted[0]?.attributes.inferred).toBe('true');
  });

  test('says up to when everything was read: the settle time before the last sweep', async () => {
    const { connect, watcherOf, pass, source, state } = await watch(major);
    await connect();
    const watcher = await watcherOf();
    await watcher.once();
    expect((await state()).completeUpTo).toBeUndefined();
    pass(20 * 60_000);
    await watcher.once();
    await watcher.once();
    const rows = await postgres.db.selectFrom('sources').selectAll().where('source', '=', source).execute();
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ company: 'acme', kind: 'polled' });
    const upTo = new Date(Number(BigInt(rows[0]?.complete_up_to_ns ?? 0) / 1_000_000n));
    expect(upTo.toISOString().slice(0, 19)).toBe('2026-11-22T10:10:00');
    expect(rows[0]?.types).toContain('bill.posted');
  });
});
