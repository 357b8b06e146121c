import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OdooRecord } from '../collector/odoo/kind.ts';
import { allById, changedSince, type Reading, recordsOf } from '../collector/odoo/pages.ts';
import { connectOdoo, type Odoo } from '../odoo/client.ts';
import { OdooStandIn } from './stand-ins/odoo/server.ts';

const READER = { login: 'reader', secret: 'reader-secret', rights: 'reader' } as const;
const FIELDS = ['name', 'write_date'].map((name) => ({ as: name, name, optional: false }));
const reading = (pageSize: number): Reading => ({ model: 'account.move', fields: FIELDS, pageSize });
const SINCE = '2026-11-22 10:00:00';

async function withOdoo<T>(major: number, use: (server: OdooStandIn, odoo: Odoo) => Promise<T>): Promise<T> {
  const server = new OdooStandIn(major, [READER]);
  const url = await server.listen();
  try {
    return await use(
      server,
      await connectOdoo({ url, ...READER, database: 'acme', pace: { perSecond: 1000, parallel: 4 } }),
    );
  } finally {
    await server.close();
  }
}

async function all(pages: AsyncIterable<readonly OdooRecord[]>): Promise<OdooRecord[]> {
  const records: OdooRecord[] = [];
  for await (const page of pages) records.push(...page);
  return records;
}

const at = (server: OdooStandIn, ms: number): void => {
  server.db.now = () => new Date(Date.UTC(2026, 10, 22, 10) + ms);
};

test.each([17, 18, 19])(
  'every record that was written since comes once, however they share seconds and pages: Odoo %i',
  async (major) => {
    const transaction = fc.record({
      afterMs: fc.integer({ min: -2500, max: 4000 }),
      rows: fc.integer({ min: 1, max: 9 }),
    });
    const runs = fc.record({
      transactions: fc.array(transaction, { maxLength: 8 }),
      pageSize: fc.integer({ min: 2, max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(runs, async ({ transactions, pageSize }) =>
        withOdoo(major, async (server, odoo) => {
          const expected: number[] = [];
          const inOrder = transactions.toSorted((a, b) => a.afterMs - b.afterMs);
          for (const { afterMs, rows } of inOrder) {
            at(server, afterMs);
            const ids = server.db.transaction(1, (tx) =>
              Array.from({ length: rows }, () => tx.create('account.move', { company_id: 1 })),
            );
            if (afterMs >= 0) expected.push(...ids);
          }
          const found = (await all(changedSince(odoo, reading(pageSize), SINCE))).map(({ id }) => id);
          expect(found.toSorted((a, b) => a - b)).toEqual(expected.toSorted((a, b) => a - b));
        }),
      ),
      { numRuns: 25 },
    );
  },
);

test('an idle Odoo is asked once', async () => {
  await withOdoo(18, async (server, odoo) => {
    const before = server.calls.length;
    expect(await all(changedSince(odoo, reading(500), SINCE))).toEqual([]);
    expect(server.calls.slice(before)).toEqual(['account.move/search_read']);
  });
});

test('one that is written while others are read comes again, and none is left out', async () => {
  await withOdoo(19, async (server, odoo) => {
    for (let second = 0; second < 6; second++) {
      at(server, second * 1000);
      server.db.transaction(1, (tx) => tx.create('account.move', { company_id: 1, name: `M${second}` }));
    }
    const names: unknown[] = [];
    for await (const page of changedSince(odoo, reading(3), SINCE)) {
      names.push(...page.map(({ values }) => values.name));
      if (names.length > 3) continue;
      at(server, 60_000);
      server.db.transaction(1, (tx) => tx.write('account.move', [1], { name: 'M0 again' }));
    }
    expect(new Set(names)).toEqual(new Set(['M0', 'M1', 'M2', 'M3', 'M4', 'M5', 'M0 again']));
  });
});

test('all of them by id, and those of some ids that there are', async () => {
  await withOdoo(17, async (server, odoo) => {
    server.db.transaction(1, (tx) => {
      for (let i = 0; i < 7; i++) tx.create('account.move', { company_id: 1 });
    });
    server.db.transaction(1, (tx) => tx.unlink('account.move', [4]));
    expect((await all(allById(odoo, reading(3)))).map(({ id }) => id)).toEqual([1, 2, 3, 5, 6, 7]);
    expect((await recordsOf(odoo, reading(3), [2, 4, 6, 7])).map(({ id }) => id)).toEqual([2, 6, 7]);
  });
});
