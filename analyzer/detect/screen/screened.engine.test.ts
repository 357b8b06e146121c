import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { type Company, company } from '../../../model/company.ts';
import type { FinanceEvent } from '../../../model/event.ts';
import { type Flow, flow } from '../../../model/flow.ts';
import { formatInstant, parseInstant } from '../../../model/time.ts';
import { createRandom } from '../../../simulator/random.ts';
import { simulate } from '../../../simulator/simulate.ts';
import { storedEvents, streamsOf } from '../../../simulator/stored.ts';
import { declareComplete } from '../../../store/postgres/sources.ts';
import { detectionHouse, event } from '../../../test/detection-house.ts';
import { instantOf } from '../fixture.ts';
import { loadFlows } from '../flow-files.ts';
import { createDetector } from '../pass.ts';

/** A history that is screened before it is judged comes to what judging all of it comes to. */
const house = await detectionHouse();
afterAll(() => house.remove());
beforeEach(() => house.clear());
const { arrive, events, logger, postgres } = house;

const COMPANIES: readonly Company[] = [
  { key: 'acme', timezone: 'Europe/Brussels', calendar: { holidays: ['2026-05-14', '2026-05-25'] } },
  {
    key: 'bharat',
    timezone: 'Asia/Kolkata',
    calendar: { workdays: [1, 2, 3, 4, 5, 6], hours: { from: '09:20', to: '17:50' } },
    rules: { days: { within: '3bd' }, elapsed: { enabled: false } },
  },
  { key: 'cascadia', timezone: 'America/Los_Angeles', rules: { elapsed: { within: '1d' } } },
].map((one) => company.parse(one));

const rule = (id: string, given: object) => ({
  id,
  kind: 'response',
  when: { types: ['bill.received'] },
  expect: { types: ['bill.posted'] },
  unless: { types: ['bill.cancelled'] },
  ...given,
});

/** Every way in which a rule may ask, answer and be due. */
const RULES: Flow = flow.parse({
  flow: 'screened',
  name: 'Screened',
  owner: 'ap',
  expectations: [
    rule('elapsed', { within: '2d' }),
    rule('days', { by: ['supref'], within: '2bd' }),
    rule('keys', { by: ['supref', 'docno'], within: '1bd', grace: '3h' }),
    rule('all-keys', { by: ['subject', 'supref', 'docno'], within: '6bh' }),
    rule('ever', {
      by: ['supref'],
      expect: { types: ['bill.posted', 'bill.approved'], since: 'ever' },
      unless: { types: ['bill.cancelled'], since: 'ever' },
      within: '4h',
    }),
    rule('voids', { by: ['docno'], unless: { types: ['bill.cancelled'], since: 'ever' }, within: '1d' }),
    rule('close', { by: ['supref'], within: '3bd', closing: '1bd', cutoff: '16:50' }),
    rule('period', { by: ['supref'], within: '10bd', until: 'WD1' }),
    rule('period-alone', { until: 'WD2', expect: { types: ['bill.posted'], since: 'ever' } }),
    rule('last', {
      by: ['supref'],
      when: { types: ['bill.received', 'bill.drafted'], pick: 'last' },
      within: '1bd',
    }),
    rule('each', {
      by: ['supref', 'docno'],
      when: { types: ['bill.received', 'bill.drafted'], pick: 'each' },
      within: '2d',
    }),
    rule('where', {
      by: ['supref'],
      when: {
        types: ['bill.received'],
        where: { source: { not: '/odoo/*' }, 'attribute.way': { not: ['in', '7'] }, amount: { above: '10' } },
      },
      within: '1d',
    }),
    rule('one-of', {
      when: {
        types: ['bill.received', 'bill.drafted'],
        where: { 'attribute.way': ['o*', 'in'] },
        pick: 'each',
      },
      within: '1d',
    }),
    rule('scope', { by: ['supref'], scope: { with: { types: ['bill.approved'] } }, within: '1d' }),
    // A reference that does not check itself suggests, and does not join.
    rule('suggested', { by: ['supref', 'payref'], within: '2d' }),
    rule('mirror', {
      by: ['e2e'],
      across: true,
      when: { types: ['bill.received'], where: { 'key.e2e': { exists: true } } },
      expect: { types: ['bill.posted'], same: ['amount'], since: 'ever' },
      within: '1bd',
    }),
    rule('global', { by: ['e2e'], across: true, within: '1bd' }),
    {
      id: 'age',
      kind: 'state-age',
      by: ['docno', 'supref'],
      enter: { types: ['bill.drafted', 'bill.approved'] },
      leave: { types: ['bill.posted', 'bill.cancelled'] },
      within: '1bd',
    },
    {
      id: 'before',
      kind: 'precedence',
      by: ['supref', 'docno'],
      when: { types: ['bill.posted'], pick: 'each' },
      require: { types: ['bill.received'] },
      unless: { types: ['bill.cancelled'] },
    },
    { id: 'twice', kind: 'no-duplicate', by: ['supref'], when: { types: ['bill.posted'] }, same: ['amount'] },
    {
      id: 'alike',
      kind: 'equal-value',
      by: ['supref', 'docno'],
      when: { types: ['bill.posted'] },
      with: { types: ['bill.received'] },
      compare: [{ field: 'amount', tolerance: '1' }, { field: 'currency' }],
      unless: { types: ['bill.cancelled'] },
    },
    {
      id: 'whole',
      kind: 'integrity',
      when: { types: ['bill.*'], where: { 'attribute.way': { exists: true } } },
      constant: ['attribute.way'],
      totals: [{ sum: 'lines.amount', equals: 'amount', tolerance: '0.01' }],
      forbid: { types: ['bill.drafted'] },
      unless: { types: ['bill.cancelled'] },
    },
    // These are not screened: what they look at is read a company at a time.
    {
      id: 'group',
      kind: 'no-duplicate',
      group: ['amount', 'currency'],
      lookback: '2d',
      when: { types: ['bill.posted'] },
      differ: ['party'],
    },
    {
      id: 'people',
      kind: 'distinct-actors',
      by: ['docno', 'supref'],
      pairs: [{ first: { types: ['bill.received'] }, second: { types: ['bill.posted'] } }],
    },
  ],
});

const UNSCREENED = ['scope', 'mirror', 'group', 'people', 'DC-02'];
const QUARTER = 900_000_000_000n;

/** Lines of which some sum to an amount, are no numbers, or are written in ways of their own. */
const LINES = [
  '{}',
  '{}',
  '{"lines":[{"amount":"2.5"},{"amount":2.5}]}',
  '{"lines":[{"amount":"10"},{"amount":"1e1"}]}',
  '{"lines":[{"amount":"70"},{"name":"none"},"text"]}',
  '{"lines":[]}',
];

/** Documents that are received and mostly posted some hours later, with keys that cross, equal times, repeats and what lacks its keys. */
function randomEvents(seed: number, documents: number): FinanceEvent[] {
  const random = createRandom(seed);
  const start = instantOf('1');
  return Array.from({ length: documents }, (_, document) => {
    const first = random.int(0, 7 * 96);
    const company = random.pick(['acme', 'bharat', 'cascadia', 'unknown']);
    const has = (share: number, value: string) => (random.chance(share) ? value : undefined);
    const named = [has(0.8, `s${document}`), has(0.6, `n${Math.ceil(document / 2)}`)] as const;
    const e2e = random.chance(0.5) ? [{ type: 'e2e', value: `E${document}` }] : [];
    const [soonest, latest] = random.pick([
      [1, 12],
      [1, 96],
      [60, 240],
      [0, 1],
    ] as const);
    const types = [
      'bill.received',
      ...random.pick([['bill.posted'], ['bill.posted'], ['bill.drafted', 'bill.posted'], []]),
    ];
    if (random.chance(0.3))
      types.push(random.pick(['bill.received', 'bill.approved', 'bill.cancelled', 'bill.posted']));
    let quarters = first;
    return types.map((type) => {
      const at = start + BigInt(quarters) * QUARTER;
      quarters += random.int(soonest, latest);
      const [supref, docno] = random.chance(0.9) ? named : [];
      const made = event(type, '1', {
        time: formatInstant(at),
        subject: random.chance(0.8) ? `d${document}` : `${type}${document}`,
        ...(supref === undefined ? {} : { supref }),
        ...(docno === undefined ? {} : { docno }),
        company: random.chance(0.95) ? company : 'acme',
        source: random.pick(['erp', 'erp', '/odoo/prod']),
        amount: random.pick(['5', '10', '70']),
        ingestPath: random.chance(0.05) ? 'backfill' : 'push',
        period: random.chance(0.5) ? random.pick(['2026-04', '2026-05']) : undefined,
        partyKey: random.pick(['v1', 'v2']),
        actorId: random.pick(['ann', 'bob']),
        actorKind: 'human',
        data: random.pick(LINES),
        attributes: random.chance(0.5) ? { way: random.pick(['in', 'out', '7', '7.0']) } : {},
      });
      const payref = random.chance(0.5) ? [{ type: 'payref', value: `no ${Math.ceil(document / 3)}` }] : [];
      return { ...made, keys: [...made.keys, ...e2e, ...payref] };
    });
  }).flat();
}

/** What detection keeps of all stored events under the flows, once they are judged with and without a screen. */
async function judgedBothWays(flows: readonly Flow[], companies: readonly Company[], now: bigint) {
  const deps = { postgres, companies, logger };
  const stored = async () => ({
    obligations: await house.obligations(),
    exceptions: await house.exceptions(),
  });
  const judged = async (from: number) => {
    await sql`TRUNCATE obligations, exceptions, change_log, control_runs CASCADE`.execute(postgres.db);
    await sql`DELETE FROM settings`.execute(postgres.db);
    await createDetector({ ...deps, events, flows: [] }).pass(now);
    const { pass } = createDetector({ ...deps, events, flows, screening: { from } });
    const result = await pass(now, { catchUp: true });
    return { pass, result, stored: await stored() };
  };
  const plain = await judged(Number.POSITIVE_INFINITY);
  const screened = await judged(0);
  const again = await screened.pass(now, { rebuild: true });
  const answered = new Map(screened.result.rules.map(({ rule, screened: found = 0 }) => [rule, found]));
  expect(plain.result.rules.every((one) => one.screened === undefined)).toBe(true);
  return { plain, screened, again: { ...again, stored: await stored() }, answered };
}

test('what random events come to, screened or not, is the same', async () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    await house.clear();
    await arrive(...randomEvents(seed, 150));
    const marks = ['acme', 'bharat', 'cascadia', 'unknown'].flatMap((company) =>
      ['erp', '/odoo/prod'].map((source) => ({ source, company, stream: '', completeUpTo: instantOf('7') })),
    );
    await declareComplete(postgres.db, marks, new Date());
    const { plain, screened, again, answered } = await judgedBothWays(
      [RULES],
      COMPANIES,
      instantOf('8 12:00'),
    );
    expect(screened.stored, `seed ${seed}`).toEqual(plain.stored);
    expect(plain.stored.obligations.length).toBeGreaterThan(200);
    for (const [id, found] of answered) if (!UNSCREENED.includes(id)) expect(found, id).toBeGreaterThan(0);
    // What is stored is judged again, and nothing changes.
    expect(again).toMatchObject({ opened: 0, closed: 0, stored: plain.stored });
  }
});

test('where time is short, what a screen leaves too much of goes batch by batch, to the same end', async () => {
  for (let i = 0; i < 3; i += 1) await arrive(...randomEvents(10 + i, 40));
  const marks = [{ source: 'erp', company: 'acme', stream: '', completeUpTo: instantOf('7') }];
  await declareComplete(postgres.db, marks, new Date());
  const now = instantOf('8 12:00');
  const deps = { postgres, events, companies: COMPANIES, logger };
  const judged = async (screening: { from: number; most: number }) => {
    await sql`TRUNCATE obligations, exceptions, change_log, control_runs CASCADE`.execute(postgres.db);
    await sql`DELETE FROM settings`.execute(postgres.db);
    await createDetector({ ...deps, flows: [] }).pass(now);
    const { pass } = createDetector({ ...deps, flows: [RULES], screening });
    const result = await pass(now);
    // Nothing is left to be judged.
    expect(await pass(now)).toMatchObject({ events: 0, opened: 0, closed: 0 });
    return {
      screened: result.rules.filter(({ screened }) => screened).length,
      stored: await house.obligations(),
    };
  };
  const plain = await judged({ from: Number.POSITIVE_INFINITY, most: 0 });
  expect(plain.screened).toBe(0);
  const [all, some, none] = [
    await judged({ from: 0, most: 10_000 }),
    await judged({ from: 0, most: 40 }),
    await judged({ from: 0, most: -1 }),
  ];
  expect(none.screened).toBe(0);
  expect(some.screened).toBeGreaterThan(0);
  expect(all.screened).toBeGreaterThan(some.screened);
  for (const { stored } of [all, some, none]) expect(stored).toEqual(plain.stored);
});

test('a landscape under the rules of the house comes to the same too', async () => {
  const now = parseInstant('2026-06-03T12:00:00Z') as bigint;
  const { companies, events: sent } = simulate({
    seed: 8,
    now: Number(now / 1_000_000n),
    days: 45,
    plantedEach: 1,
  });
  const past = storedEvents(sent);
  for (let at = 0; at < past.length; at += 5_000) await arrive(...past.slice(at, at + 5_000));
  const streams = streamsOf(
    past,
    companies.map(({ key }) => key),
    now,
  );
  const marks = streams.map(({ source, company }) => ({ source, company, stream: '', completeUpTo: now }));
  await declareComplete(postgres.db, marks, new Date());
  for (const { source, company, types } of streams)
    await sql`UPDATE sources SET types = ${[...types]}::text[] WHERE source = ${source} AND company = ${company}`.execute(
      postgres.db,
    );
  const flows = await loadFlows(join(import.meta.dirname, '../../../flows'));
  const { plain, screened, again, answered } = await judgedBothWays(flows, companies, now);
  expect(screened.stored).toEqual(plain.stored);
  expect(plain.result.opened).toBeGreaterThan(30);
  expect(answered.values().reduce((sum, found) => sum + found, 0)).toBeGreaterThan(5_000);
  expect(again).toMatchObject({ opened: 0, closed: 0, stored: plain.stored });
});
