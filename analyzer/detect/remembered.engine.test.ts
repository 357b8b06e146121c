import { afterAll, beforeEach, expect, test } from 'vitest';
import { type Flow, flow } from '../../model/flow.ts';
import { ACME, detectionHouse, event, FLOWS } from '../../test/detection-house.ts';
import { caseEventOf } from './case-event.ts';
import { instantOf } from './fixture.ts';
import { GroupMemory } from './group-memory.ts';
import { KnownEvents } from './known-events.ts';
import { readGroups } from './load-groups.ts';
import { createDetector } from './pass.ts';
import { rulesOf } from './rules.ts';
import { Touched } from './touched.ts';

/** What detection remembers between passes, so that a pass costs what is new. */
const house = await detectionHouse();
afterAll(() => house.remove());
beforeEach(() => house.clear());
const { arrive, complete, events, exceptions, logger, obligations, postgres } = house;

const GROUPS: Flow = flow.parse({
  flow: 'groups',
  name: 'Groups',
  owner: 'ap',
  expectations: [
    {
      id: 'again',
      kind: 'no-duplicate',
      group: ['amount', 'currency'],
      lookback: '20d',
      when: { types: ['bill.posted'] },
      differ: ['party'],
      unless: { types: ['bill.cancelled'] },
    },
    {
      id: 'pace',
      kind: 'threshold',
      group: ['party'],
      lookback: '2d',
      over: '1d',
      when: { types: ['bill.posted'] },
      count: true,
      atMost: '2',
    },
  ],
});

/** A detector that counts what it reads. */
function counting() {
  const reads = { groups: 0, facts: 0, refs: 0 };
  const counted: typeof events = {
    ...events,
    async inGroups(...asked) {
      reads.groups += 1;
      return await events.inGroups(...asked);
    },
    async factsByJoinKeys(...asked) {
      reads.facts += 1;
      return await events.factsByJoinKeys(...asked);
    },
    async refsByJoinKeys(...asked) {
      reads.refs += 1;
      return await events.refsByJoinKeys(...asked);
    },
  };
  const deps = { postgres, flows: [...FLOWS, GROUPS], companies: [ACME], logger };
  return { reads, detector: createDetector({ ...deps, events: counted, keysFrom: 1 }) };
}

const posted = (at: string, subject: string, partyKey: string, amount = '50') =>
  event('bill.posted', at, { subject, partyKey, amount });

test('the groups of a rule are read once, and then kept up by what comes', async () => {
  await complete('30');
  const { reads, detector } = counting();
  await arrive(posted('10', 'a', 'v1'));
  await detector.pass(instantOf('10 12:00'));
  expect(reads.groups).toBe(1);
  await arrive(posted('11', 'b', 'v2'), posted('11 01:00', 'c', 'v2', '60'));
  await detector.pass(instantOf('11 12:00'));
  await arrive(posted('11 02:00', 'd', 'v2', '70'));
  // A cancellation that comes late takes out what was repeated.
  await arrive(event('bill.cancelled', '10 06:00', { subject: 'a', amount: '50' }));
  await detector.pass(instantOf('11 20:00'));
  expect(reads.groups).toBe(1);
  expect((await exceptions()).map(([rule, subject, state]) => [rule, subject, state])).toEqual([
    ['again', 'b', 'resolved'],
    ['pace', 'v2', 'open'],
  ]);
  // Whoever remembers nothing finds the same.
  const before = [await exceptions(), await obligations()];
  await counting().detector.pass(instantOf('11 20:00'), { rebuild: true });
  expect([await exceptions(), await obligations()]).toEqual(before);
});

test('two who judge in turns find what the other one has judged in between', async () => {
  await complete('30');
  const [one, two] = [counting(), counting()];
  const pairs = [
    [one, posted('10', 'a', 'v1')],
    [two, posted('10 01:00', 'b', 'v2', '60')],
    [one, posted('10 02:00', 'c', 'v3', '60')],
    [two, posted('10 03:00', 'd', 'v4')],
  ] as const;
  for (const [who, arrived] of pairs) {
    await arrive(arrived);
    await who.detector.pass(instantOf('10 12:00'));
  }
  expect((await exceptions()).map(([rule, subject]) => [rule, subject])).toEqual([
    ['again', 'c'],
    ['again', 'd'],
  ]);
  expect(one.reads.groups + two.reads.groups).toBe(4);
});

test('what was read is not read again, and what came just now is not read at all', async () => {
  await complete('30');
  const first = counting();
  await arrive(event('bill.received', '1', { supref: 'V:1', subject: 's1' }));
  await first.detector.pass(instantOf('1 12:00'));
  await arrive(event('bill.posted', '2', { supref: 'V:1', subject: 'm1' }));
  await first.detector.pass(instantOf('2 12:00'));
  expect(first.reads.facts).toBe(0);
  expect(await obligations()).toEqual([]);
  await arrive(event('bill.posted', '3', { supref: 'V:1', subject: 'm2' }));
  const second = counting();
  await second.detector.pass(instantOf('3 12:00'));
  expect(second.reads.facts).toBe(1);
  await arrive(event('bill.cancelled', '3 13:00', { supref: 'V:1', subject: 'm2' }));
  await second.detector.pass(instantOf('4'));
  expect(second.reads.facts).toBe(1);
  expect((await exceptions()).map(([rule, subject, state]) => [rule, subject, state])).toEqual([
    ['twice', 'm2', 'resolved'],
  ]);
});

test('an event dated in the future is remembered, and counts when its time has come', async () => {
  await complete('30');
  const { reads, detector } = counting();
  await arrive(posted('10', 'a', 'v1'));
  await detector.pass(instantOf('10 12:00'));
  await arrive(posted('12', 'ahead', 'v2'));
  await detector.pass(instantOf('11'));
  expect(await exceptions()).toEqual([]);
  await detector.pass(instantOf('12 12:00'));
  expect((await exceptions()).map(([rule, subject]) => [rule, subject])).toEqual([['again', 'ahead']]);
  expect(reads.groups).toBe(1);
});

test('what comes late and decides the scope of a group changes what was before it', async () => {
  await complete('30');
  const rule = { ...GROUPS.expectations[0], scope: { with: { types: ['bill.flagged'] } } };
  const flows = [flow.parse({ ...GROUPS, expectations: [rule] })];
  const { pass } = createDetector({ postgres, events, flows, companies: [ACME], logger });
  await arrive(posted('10', 'a', 'v1'), posted('11', 'b', 'v2'));
  await pass(instantOf('12'));
  expect(await exceptions()).toEqual([]);
  await arrive(event('bill.flagged', '12 06:00', { subject: 'f', amount: '50' }));
  await pass(instantOf('13'));
  expect((await exceptions()).map(([rule, subject]) => [rule, subject])).toEqual([['again', 'b']]);
});

test('nothing is lost when there is more than is remembered', async () => {
  const some = ['1', '2', '3', '4', '5'].map((day) =>
    event('bill.posted', day, { subject: `m${day}`, supref: 'V:1', partyKey: `v${Number(day) % 2}` }),
  );
  await arrive(...some);
  const known = new KnownEvents(events, [], { most: 3 });
  const asked = { asOf: instantOf('9'), types: ['bill.posted'] };
  const keys = ['subject:erp:m1', 'subject:erp:m2', 'supref:acme:V:1'];
  const found = async (of: string[]) =>
    [...(await known.find(of, asked)).values()].map(({ subject }) => subject).sort();
  expect(await found(keys.slice(0, 2))).toEqual(['m1', 'm2']);
  expect(await found(keys)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);

  // Each rule's groups push those of the other one out.
  const memory = new GroupMemory({ most: 5 });
  memory.at(9n);
  const rules = rulesOf([GROUPS]);
  const loaded = async (...those: typeof rules) => {
    const touched = new Touched();
    for (const rule of those)
      for (const one of some) touched.add(rule, { keys: rule.keysOf(caseEventOf(one)), at: instantOf('3') });
    const parts = [...touched.parts(100, instantOf('9'))];
    const of = await readGroups(events, parts, instantOf('9'), memory);
    return parts.map((part) => of(part).cases.flat().length);
  };
  expect(await loaded(...rules.slice(0, 1))).toEqual([5]);
  expect(memory.holds(rules[0] as (typeof rules)[0], 'acme', instantOf('1'))).toBe(true);
  expect(await loaded(...rules)).toEqual([5, 5]);
  expect(memory.holds(rules[0] as (typeof rules)[0], 'acme', instantOf('1'))).toBe(false);
  expect(await loaded(...rules)).toEqual([5, 5]);
});

const bill = (type: string, at: string, supref: string, subject = `${type}/${supref}`) =>
  event(type, at, { subject, supref });

test('once the keys of all that is stored are known, nothing is asked about new ones, nor about what came since', async () => {
  await complete('30');
  const { reads, detector } = counting();
  await arrive(bill('bill.received', '10', 'V:1'));
  await detector.pass(instantOf('10 01:00'));
  await detector.pass(instantOf('10 01:01'));
  await detector.idle();
  reads.refs = 0;
  await arrive(bill('bill.received', '10 02:00', 'V:2'));
  await detector.pass(instantOf('10 03:00'));
  await arrive(bill('bill.posted', '10 04:00', 'V:2'));
  await detector.pass(instantOf('14'));
  // Only what came before the keys were known is asked about: it is due.
  expect(reads).toMatchObject({ refs: 2, facts: 0 });
  expect(await exceptions()).toEqual([['posted', 'bill.received/V:1', 'open', true]]);
  await arrive(bill('bill.posted', '15', 'V:1'));
  await detector.pass(instantOf('16'));
  expect(reads.refs).toBeGreaterThan(2);
  expect(await exceptions()).toEqual([['posted', 'bill.received/V:1', 'late', true]]);
});

test('a key of which another process has passed events is asked about again', async () => {
  await complete('30');
  const [one, other] = [counting().detector, counting().detector];
  await arrive(bill('bill.received', '10', 'V:1'));
  await one.pass(instantOf('10 01:00'));
  await one.pass(instantOf('10 01:01'));
  await one.idle();
  await arrive(bill('bill.received', '10 02:00', 'V:2'));
  await one.pass(instantOf('10 03:00'));
  await arrive(bill('bill.posted', '10 04:00', 'V:2'), bill('bill.posted', '10 04:00', 'V:3'));
  await other.pass(instantOf('10 05:00'));
  const again = (supref: string) => bill('bill.received', '10 06:00', supref, `again/${supref}`);
  await arrive(again('V:2'), again('V:3'));
  await one.pass(instantOf('14'));
  // What the other one passed answers the first of the two, and does not answer what came after it.
  expect(await exceptions()).toEqual([
    ['posted', 'again/V:3', 'open', true],
    ['posted', 'bill.received/V:1', 'open', true],
  ]);
});
