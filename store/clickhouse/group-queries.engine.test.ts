import { afterAll, expect, test } from 'vitest';
import { parseInstant } from '../../model/time.ts';
import { event } from '../../test/detection-house.ts';
import { temporaryStores } from '../../test/temporary-stores.ts';
import { openFinanceEvents } from './finance-events.ts';
import type { GroupsQuestion } from './group-queries.ts';

const stores = await temporaryStores();
afterAll(() => stores.remove());
const events = openFinanceEvents(stores.clickhouse);
const at = (text: string): bigint => parseInstant(`2026-05-${text}:00:00Z`) as bigint;

const question = (types: string[], given: Partial<GroupsQuestion> = {}): GroupsQuestion => ({
  types,
  from: at('01T00'),
  to: at('31T00'),
  parties: [],
  periods: [],
  amounts: [],
  data: false,
  attributes: false,
  keys: false,
  ...given,
});
const subjects = async (...questions: GroupsQuestion[]) =>
  (await events.inGroups(['acme'], questions, (facts) => facts)).map(({ subject }) => subject).sort();

test('several questions about groups are answered at once, each event once', async () => {
  const some = [
    event('bill.posted', '2', { subject: 'b1', partyKey: 'v1', amount: '10.50', period: '2026-05' }),
    event('bill.posted', '3', { subject: 'b2', partyKey: 'v2', amount: '10.5', period: '2026-04' }),
    event('bill.received', '4', { subject: 'b3', partyKey: 'v1', amount: '7', attributes: { queue: 'a' } }),
    event('invoice.posted', '5', { subject: 'i1', partyKey: 'v1', data: '{"a":1}', docno: 'D/1' }),
    event('bill.posted', '5', { subject: 'x1', company: 'other' }),
    event('bill.posted', '20', { subject: 'late', partyKey: 'v1' }),
  ];
  await events.insert(some, 'groups');

  expect(await subjects(question(['bill.posted']))).toEqual(['b1', 'b2', 'late']);
  expect(await subjects(question(['bill.*'], { to: at('10T00') }))).toEqual(['b1', 'b2', 'b3']);
  expect(
    await subjects(question(['bill.*', 'invoice.posted'], { parties: ['v1'], to: at('10T00') })),
  ).toEqual(['b1', 'b3', 'i1']);
  expect(await subjects(question(['bill.posted'], { amounts: ['10.5'] }))).toEqual(['b1', 'b2']);
  expect(await subjects(question(['bill.posted'], { periods: ['2026-04'] }))).toEqual(['b2']);
  const byQueue = { attribute: { name: 'queue', values: ['a', 'b'] } };
  expect(await subjects(question(['bill.*'], byQueue))).toEqual(['b3']);
  expect(
    await subjects(
      question(['bill.posted'], { periods: ['2026-04'] }),
      question(['bill.posted'], { from: at('10T00') }),
      question(['bill.*'], { periods: ['2026-04'] }),
      question(['nothing.here']),
    ),
  ).toEqual(['b2', 'late']);
  // A text that is no type is no expression either.
  expect(await subjects(question(["bill.posted') OR ('1' = '1"]), question(['bill.p.sted']))).toEqual([]);
});

test('payload, attributes and keys come with the types of which somebody needs them', async () => {
  const facts = async (...questions: GroupsQuestion[]) =>
    (await events.inGroups(['acme'], questions, (facts) => facts))
      .filter(({ subject }) => subject === 'i1' || subject === 'b3')
      .map(({ subject, data, attributes, keys }) => [subject, data, attributes, keys.length])
      .sort();
  const both = ['bill.received', 'invoice.posted'];
  expect(await facts(question(both))).toEqual([
    ['b3', '', {}, 0],
    ['i1', '', {}, 0],
  ]);
  expect(
    await facts(
      question(both),
      question(['invoice.*'], { data: true, keys: true }),
      question(['bill.received'], { attributes: true }),
    ),
  ).toEqual([
    ['b3', '', { queue: 'a' }, 0],
    ['i1', '{"a":1}', {}, 2],
  ]);
});

test('the events of questions are counted', async () => {
  const questions = [
    question(['bill.posted']),
    question(['bill.*'], { from: at('03T00') }),
    question(['none']),
  ];
  expect(await events.countInGroups('acme', questions)).toEqual([3, 3, 0]);
});

test('a join key leads to its events, without those of batches that are known', async () => {
  const some = [
    { ...event('bill.received', '2', { subject: 'k1', supref: 'V:9' }), batch: '5' },
    { ...event('bill.posted', '3', { subject: 'k2', supref: 'V:9' }), batch: '6' },
    { ...event('bill.posted', '9', { subject: 'k3', supref: 'V:9' }), batch: '6' },
    { ...event('invoice.posted', '3', { subject: 'k4', supref: 'V:9' }), batch: '6' },
  ];
  await events.insert(some, 'refs');
  const asked = { asOf: at('05T00'), types: ['bill.*'] };
  const idsOf = async (given: object) =>
    (await events.refsByJoinKeys(['supref:acme:V:9'], { ...asked, ...given })).map(({ id, key }) => [
      id,
      key,
    ]);
  expect((await idsOf({})).sort()).toEqual([
    [some[0]?.id, 'supref:acme:V:9'],
    [some[1]?.id, 'supref:acme:V:9'],
  ]);
  expect(await idsOf({ except: { after: 5n, upTo: 6n } })).toEqual([[some[0]?.id, 'supref:acme:V:9']]);
  expect(await idsOf({ types: ['invoice.posted'] })).toEqual([[some[3]?.id, 'supref:acme:V:9']]);
});
