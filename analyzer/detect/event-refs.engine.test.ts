import { afterAll, expect, test } from 'vitest';
import { eventRefsOf } from '../../store/postgres/exceptions.ts';
import { detectionHouse, event } from '../../test/detection-house.ts';
import { instantOf } from './fixture.ts';

const house = await detectionHouse();
afterAll(() => house.remove());

test('an exception holds its own events, whatever other sources call theirs', async () => {
  const { arrive, complete, detector, events, postgres } = house;
  const of = (source: string, type: string, at: string, docno: string) =>
    event(type, at, { id: '1001', source, docno, subject: `${source} ${docno}` });
  await arrive(
    of('ocr', 'bill.received', '1', 'B1'),
    of('erp', 'bill.posted', '5', 'B1'),
    of('bank', 'payment.registered', '1', 'P1'),
  );
  await complete('9');
  const { pass } = detector();
  await pass(instantOf('4'));
  const read = () => postgres.db.selectFrom('exceptions').selectAll().where('rule', '=', 'posted').execute();
  const [open] = await read();
  expect(open && eventRefsOf(open)).toEqual([{ source: 'ocr', id: '1001' }]);

  await pass(instantOf('6'));
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
