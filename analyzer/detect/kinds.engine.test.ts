import fc from 'fast-check';
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { FinanceEvent } from '../../model/event.ts';
import { expectation } from '../../model/expectation.ts';
import { flow } from '../../model/flow.ts';
import { formatInstant } from '../../model/time.ts';
import { ACME, detectionHouse, event } from '../../test/detection-house.ts';
import { caseEventOf } from './case-event.ts';
import { casesOf } from './cases.ts';
import { evaluate } from './evaluators.ts';
import { instantOf } from './fixture.ts';
import { rulesOf } from './rules.ts';

/** Every kind, of cases and of groups, ends where one judgement of everything ends, however events come. */
const house = await detectionHouse();
afterAll(() => house.remove());
beforeEach(() => house.clear());
const { arrive, clear, complete, detector, obligations } = house;

const [RECEIVED, POSTED, CHANGED] = ['bill.received', 'bill.posted', 'bill.changed'];
const KINDS = flow.parse({
  flow: 'kinds',
  name: 'A rule of every kind',
  owner: 'ap',
  expectations: [
    {
      id: 'response',
      kind: 'response',
      when: { types: [RECEIVED] },
      expect: { types: [POSTED], same: ['amount'] },
      within: '1d',
    },
    {
      id: 'answers',
      kind: 'response',
      group: ['party'],
      lookback: '2d',
      when: { types: [RECEIVED], pick: 'each' },
      expect: { types: [POSTED] },
      within: '12h',
    },
    {
      id: 'precedence',
      kind: 'precedence',
      when: { types: [POSTED] },
      require: { types: [RECEIVED] },
      unless: { types: ['bill.cancelled'] },
    },
    {
      id: 'after',
      kind: 'precedence',
      group: ['party'],
      lookback: '2d',
      when: { types: [POSTED], pick: 'each' },
      require: { types: [RECEIVED], after: { types: [CHANGED] } },
    },
    {
      id: 'actors',
      kind: 'distinct-actors',
      pairs: [{ first: { types: [RECEIVED] }, second: { types: [POSTED] } }],
    },
    {
      id: 'actors-of-party',
      kind: 'distinct-actors',
      group: ['party'],
      lookback: '1d',
      pairs: [{ first: { types: [RECEIVED] }, second: { types: [POSTED] } }],
    },
    {
      id: 'value',
      kind: 'equal-value',
      when: { types: [POSTED] },
      with: { types: [RECEIVED] },
      compare: [{ field: 'amount' }],
    },
    {
      id: 'near',
      kind: 'no-duplicate',
      group: ['amount'],
      lookback: '2d',
      when: { types: [POSTED] },
      differ: ['party'],
    },
    {
      id: 'state',
      kind: 'state-age',
      enter: { types: [RECEIVED] },
      leave: { types: [POSTED] },
      within: '1d',
    },
    {
      id: 'set',
      kind: 'set-equality',
      group: ['period'],
      left: { types: [RECEIVED] },
      right: { types: [POSTED] },
      within: '3d',
    },
    {
      id: 'stream',
      kind: 'watermark',
      group: ['party'],
      lookback: '3d',
      when: { types: [RECEIVED] },
      within: '1d',
    },
    {
      id: 'balance',
      kind: 'balance',
      group: ['party'],
      when: { types: [CHANGED], pick: 'last' },
      equals: '7',
      within: '1d',
    },
    {
      id: 'numbers',
      kind: 'sequence',
      group: [],
      lookback: '3d',
      when: { types: [POSTED] },
      number: 'docnumber',
      unless: { types: ['bill.cancelled'] },
    },
    {
      id: 'steps',
      kind: 'sequence',
      when: { types: ['bill.*'] },
      steps: [{ types: [RECEIVED] }, { types: [POSTED] }, { types: [CHANGED], optional: true }],
      within: '2d',
    },
    { id: 'limit', kind: 'threshold', when: { types: [POSTED] }, value: 'amount', atMost: '50' },
    { id: 'count', kind: 'threshold', when: { types: [CHANGED] }, count: true, atMost: '1' },
    {
      id: 'storm',
      kind: 'threshold',
      group: ['party'],
      lookback: '1d',
      when: { types: [CHANGED] },
      ratio: { types: [RECEIVED] },
      over: '12h',
      atMost: '0.5',
    },
    {
      id: 'member',
      kind: 'membership',
      group: ['party'],
      lookback: '2d',
      when: { types: [POSTED] },
      field: 'docnumber',
      known: { types: [RECEIVED], field: 'docnumber' },
    },
    {
      id: 'expiry',
      kind: 'expiry',
      when: { types: [RECEIVED] },
      at: 'attribute.ends',
      before: ['3d', '1d'],
      expect: { types: [POSTED] },
    },
    {
      id: 'integrity',
      kind: 'integrity',
      when: { types: [POSTED] },
      constant: ['docnumber'],
      forbid: { types: [CHANGED] },
      unless: { types: ['bill.cancelled'] },
    },
  ].map((rule) => ({ ...rule, dependsOn: ['erp'] })),
});

test('the flow has every kind of which order matters', () => {
  const all = expectation.options.map(({ shape }) => shape.kind.value).filter((kind) => kind !== 'anomaly');
  expect([...new Set(KINDS.expectations.map(({ kind }) => kind))].sort()).toEqual([...all].sort());
});

/** What was never a question leaves no row. */
const isTold = ({ state }: { state: string }): boolean =>
  ['open', 'pending', 'indeterminate'].includes(state);
const lineOf = (
  o: { rule: string; subject: string; occurrence: string; state: string },
  due: unknown,
  answered: unknown,
  events: readonly string[],
): string =>
  `${o.rule} ${o.subject} ${o.occurrence} ${o.state} ${due} ${answered ?? ''} ${[...events].sort().join()}`;

/** What one judgement of all the events at once says that is open or waits. */
function atOnce(all: readonly FinanceEvent[], now: bigint): string[] {
  return rulesOf([KINDS])
    .flatMap((rule) => {
      const seen = all.map(caseEventOf).filter(({ at, type }) => at <= now && rule.looksAt(type));
      return casesOf(rule.expectation, seen).flatMap((events) =>
        evaluate(rule.expectation, events, {
          flow: 'kinds',
          at: now,
          company: ACME,
          live: true,
          complete: () => ({ watermark: now, assumed: false }),
        }),
      );
    })
    .filter(isTold)
    .map((o) => lineOf(o, o.dueAt, o.answeredAt, o.events))
    .sort();
}

const someEvent = fc.record({
  type: fc.constantFrom(RECEIVED, RECEIVED, POSTED, POSTED, CHANGED, 'bill.cancelled'),
  hour: fc.integer({ min: 0, max: 23 * 8 }),
  subject: fc.constantFrom('d1', 'd2', 'd3', 'd4'),
  partyKey: fc.constantFrom('S1', 'S2'),
  actorId: fc.constantFrom('ann', 'bob', undefined),
  docNumber: fc.constantFrom('B/1', 'B/2', 'B/4', 'B/7'),
  period: fc.constantFrom('2026-05', '2026-04'),
  amount: fc.constantFrom('100', '100.00', '7'),
  attributes: fc.constantFrom({}, { ends: '2026-05-06' }),
});

const SEED = 20261127;

test(`every kind converges, whatever the order of arrival and the passes between (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(someEvent, { minLength: 1, maxLength: 16 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 4 })),
      fc.infiniteStream(fc.integer({ min: 1, max: 80 })),
      async (drawn, sizes, steps) => {
        await clear();
        await complete('30');
        const all = drawn.map(({ type, hour, ...given }) =>
          event(type, formatInstant(instantOf('1') + BigInt(hour) * 3_600_000_000_000n), given),
        );
        const { pass, idle } = detector([KINDS], { keysFrom: 1 });
        let now = instantOf('1');
        for (let at = 0; at < all.length; ) {
          const size = sizes.next().value as number;
          await arrive(...all.slice(at, at + size));
          at += size;
          now += BigInt(steps.next().value as number) * 1_800_000_000_000n;
          await pass(now);
          await idle();
        }
        const end = now > instantOf('12') ? now : instantOf('12');
        await pass(end);
        const stored = (await obligations())
          .filter(isTold)
          .map((o) => lineOf(o, o.due_ns, o.answered_ns, o.events));
        expect(stored.sort()).toEqual(atOnce(all, end));
      },
    ),
    { numRuns: 15, seed: SEED },
  );
});
