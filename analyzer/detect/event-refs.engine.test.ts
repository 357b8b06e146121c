import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { company } from '../../model/company.ts';
import type { FinanceEvent } from '../../model/event.ts';
import { flow } from '../../model/flow.ts';
import { formatInstant } from '../../model/time.ts';
import { takeBatch } from '../../store/postgres/batches.ts';
import { eventRefsOf } from '../../store/postgres/exceptions.ts';
import { declareComplete } from '../../store/postgres/sources.ts';
import { type TemporaryStores, temporaryStores } from '../../test/temporary-stores.ts';
import { instantOf } from './fixture.ts';
import { createDetector } from './pass.ts';

let stores: TemporaryStores;
beforeAll(async () => {
  stores = await temporaryStores();
});
afterAll(() => stores.remove());

const FLOW = flow.parse({
  flow: 'ap',
  name: 'Bills',
  owner: 'ap',
  expectations: [
    {
      id: 'posted',
      kind: 'response',
      by: ['docno'],
      when: { types: ['bill.received'] },
      expect: { types: ['bill.posted'] },
      within: '2d',
    },
  ],
});

const event = (source: string, type: string, at: string, docno: string): FinanceEvent => ({
  id: '1001',
  source,
  type,
  version: 1,
  time: formatInstant(instantOf(at)),
  receivedAt: '2026-05-01T00:00:00Z',
  batch: '0',
  sequence: '0',
  company: 'acme',
  subject: `${source} ${docno}`,
  ingestPath: 'push',
  keys: [{ type: 'docno', value: docno }],
  attributes: {},
  data: '{}',
});

test('an exception holds its own events, whatever other sources call theirs', async () => {
  const { postgres, events, logger } = stores;
  const some = [
    event('ocr', 'bill.received', '1', 'B1'),
    event('erp', 'bill.posted', '5', 'B1'),
    event('bank', 'payment.registered', '1', 'P1'),
  ];
  const batch = await postgres.db
    .transaction()
    .execute((trx) => takeBatch(trx, { kind: 'inbox', source: 'ocr', rows: some.length }));
  await events.insert(
    some.map((one) => ({ ...one, batch: `${batch}` })),
    'the-block',
  );
  await postgres.db.updateTable('batches').set({ state: 'stored' }).where('batch', '=', `${batch}`).execute();
  const erp = { source: 'erp', company: 'acme', stream: '', completeUpTo: instantOf('9') };
  await declareComplete(postgres.db, [erp], new Date());
  await sql`UPDATE sources SET types = '{bill.posted}'`.execute(postgres.db);
  const detector = createDetector({
    ...{ postgres, events, logger },
    flows: [FLOW],
    companies: [company.parse({ key: 'acme' })],
  });
  await detector.pass(instantOf('4'));
  const read = () => postgres.db.selectFrom('exceptions').selectAll().where('rule', '=', 'posted').execute();
  const [open] = await read();
  expect(open && eventRefsOf(open)).toEqual([{ source: 'ocr', id: '1001' }]);

  await detector.pass(instantOf('6'));
  const [late] = await read();
  const refs = late ? eventRefsOf(late) : [];
  expect(late?.state).toBe('late');
  expect(refs).toEqual([
    { source: 'ocr', id: '1001' },
    { source: 'erp', id: '1001' },
  ]);
  expect((await events.byRefs(refs)).map(({ source, type }) => [source, type])).toEqual([
    ['ocr', 'bill.received'],
    ['erp', 'bill.posted'],
  ]);
  expect(await events.byRefs([{ source: 'nobody', id: '1001' }])).toEqual([]);
});
