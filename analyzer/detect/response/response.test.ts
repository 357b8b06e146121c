import { expect, test } from 'vitest';
import type { CaseEvent } from '../case-event.ts';
import { casesOf } from '../cases.ts';
import { evaluate } from '../evaluators.ts';
import { contextAt, eventsOf, instantOf, ruleOf } from '../fixture.ts';

const A_B = { kind: 'response', when: { types: ['x.a'] }, expect: { types: ['x.b'] } };
const states = (rule: object, events: string[], at: string, watermark?: string | null) => {
  const when = instantOf(at);
  const seen = eventsOf(events).filter((event) => event.at <= when);
  return evaluate(ruleOf({ ...A_B, ...rule }), seen, contextAt(at, watermark));
};

test.each([
  ['pending until the deadline', ['A@1 10:00'], '2 09:59:59.999999999', undefined, 'pending'],
  ['due at the deadline itself', ['A@1 10:00'], '2 10:00', undefined, 'open'],
  ['open when the source is complete to the deadline', ['A@1 10:00'], '9', '2 10:00', 'open'],
  ['indeterminate a nanosecond short of it', ['A@1 10:00'], '9', '2 09:59:59.999999999', 'indeterminate'],
  ['indeterminate when no source is known', ['A@1 10:00'], '9', null, 'indeterminate'],
  ['pending needs no watermark', ['A@1 10:00'], '1 11:00', null, 'pending'],
  ['answered in time', ['A@1 10:00', 'B@1 11:00'], '9', undefined, 'satisfied'],
  ['answered exactly at the deadline', ['A@1 10:00', 'B@2 10:00'], '9', undefined, 'satisfied'],
  ['answered a nanosecond after it', ['A@1 10:00', 'B@2 10:00:00.000000001'], '9', undefined, 'late'],
  ['an answer needs no watermark', ['A@1 10:00', 'B@3'], '9', null, 'late'],
  ['an answer not yet given does not exist', ['A@1 10:00', 'B@3'], '2 12:00', undefined, 'open'],
  ['an answer from before does not count', ['B@1 09:00', 'A@1 10:00'], '9', undefined, 'open'],
  [
    'at the same instant the sequence decides: after',
    ['A@1 10:00', 'B@1 10:00'],
    '9',
    undefined,
    'satisfied',
  ],
  ['at the same instant the sequence decides: before', ['B@1 10:00', 'A@1 10:00'], '9', undefined, 'open'],
])('%s', (_, events, at, watermark, state) => {
  expect(states({}, events, at, watermark).map((o) => o.state)).toEqual([state]);
});

test.each([
  [
    'since ever, an answer from before satisfies',
    ['B@1 09:00', 'A@1 10:00'],
    { expect: { types: ['x.b'], since: 'ever' } },
    'satisfied',
  ],
  ['the anchor never answers itself', ['A@1'], { expect: { types: ['x.*'], since: 'ever' } }, 'open'],
  ['another event of its type does', ['A@1', 'A@1 05:00'], { expect: { types: ['x.a'] } }, 'satisfied'],
  ['voided', ['A@1', 'V@1 05:00'], { unless: { types: ['x.v'] } }, 'voided'],
  ['voided after the deadline', ['A@1', 'V@5'], { unless: { types: ['x.v'] } }, 'voided'],
  [
    'an answer before the voiding event holds',
    ['A@1', 'B@1 02:00', 'V@1 05:00'],
    { unless: { types: ['x.v'] } },
    'satisfied',
  ],
  [
    'an answer after it does not',
    ['A@1', 'V@1 02:00', 'B@1 05:00'],
    { unless: { types: ['x.v'] } },
    'voided',
  ],
  ['a late answer before it holds too', ['A@1', 'B@3', 'V@4'], { unless: { types: ['x.v'] } }, 'late'],
  ['an event that is both is an answer', ['A@1', 'B@1 02:00'], { unless: { types: ['x.*'] } }, 'satisfied'],
  [
    'voided before the anchor counts only since ever',
    ['V@1', 'A@2', 'B@2 05:00'],
    { unless: { types: ['x.v'], since: 'ever' } },
    'voided',
  ],
  ['and not since the anchor', ['V@1', 'A@2', 'B@2 05:00'], { unless: { types: ['x.v'] } }, 'satisfied'],
])('%s', (_, events, rule, state) => {
  expect(states(rule, events, '9').map((o) => o.state)).toEqual([state]);
});

test('the first, the last, or each of the anchors starts an obligation', () => {
  const events = ['A@1', 'B@1 12:00', 'A@3', 'A@4', 'B@9'];
  const at = (pick: string) =>
    states({ when: { types: ['x.a'], pick } }, events, '20').map((o) => [
      o.anchorEvent,
      o.state,
      o.occurrence,
    ]);
  expect(at('first')).toEqual([['0', 'satisfied', 'first']]);
  expect(at('last')).toEqual([['3', 'late', 'last']]);
  expect(at('each')).toEqual([
    ['0', 'satisfied', '0'],
    ['2', 'late', '2'],
    ['3', 'late', '3'],
  ]);
});

test('keys that part the events of one subject into cases part its obligations, whichever is picked', () => {
  const keyed = (event: CaseEvent, ...docnos: string[]): CaseEvent => ({
    ...event,
    keys: docnos.map((value) => ({ type: 'docno', value })),
  });
  const [a, b, c, d] = eventsOf(['A@1', 'A@2', 'A@3', 'A@4']) as [CaseEvent, CaseEvent, CaseEvent, CaseEvent];
  const events = [a, keyed(b, 'B7'), keyed(c, 'B7', 'B1'), keyed(d, 'C9')];
  const occurrences = (pick: string, some = events, by = ['docno']) => {
    const rule = ruleOf({ ...A_B, by, when: { types: ['x.a'], pick } });
    const judged = casesOf(rule, some).flatMap((one) => evaluate(rule, one, contextAt('9')));
    expect(new Set(judged.map(({ id }) => id)).size).toBe(judged.length);
    return judged.map(({ occurrence }) => occurrence);
  };
  expect(occurrences('first')).toEqual(['first', 'first docno:acme:B7', 'first docno:acme:C9']);
  expect(occurrences('last')).toEqual(['last', 'last docno:acme:B7', 'last docno:acme:C9']);
  expect(occurrences('last', events.slice(0, 2))).toEqual(['last', 'last docno:acme:B7']);
  expect(occurrences('first', events, ['subject', 'docno'])).toEqual(['first']);
});

test('a sentence says so when the source is only assumed to be complete', () => {
  const why = (watermark?: string) =>
    evaluate(ruleOf(A_B), eventsOf(['A@1']), contextAt('9', watermark, true))[0]?.why;
  expect(why()).toBe(
    'x.a at 2026-05-01T00:00:00Z: no x.b within 1d, by 2026-05-02T00:00:00Z; the source is assumed to be complete',
  );
  expect(why('1')).toMatch(/but the source is assumed to be complete only up to 2026-05-01/);
});

test('in a live judgement history answers and voids, and starts nothing', () => {
  const events = eventsOf(['A@1', 'A@2', 'B@2 05:00']);
  const live = { ...contextAt('9'), live: true };
  const history = (...indices: number[]) =>
    events.map((event, index) => ({ ...event, history: indices.includes(index) }));
  const anchors = (some: readonly CaseEvent[], context = live) =>
    evaluate(ruleOf(A_B), some, context).map(({ anchorEvent, state }) => [anchorEvent, state]);
  expect(anchors(history(0))).toEqual([['1', 'satisfied']]);
  expect(anchors(history(2))).toEqual([['0', 'late']]);
  expect(anchors(history(0, 1))).toEqual([]);
  expect(anchors(history(0), contextAt('9'))).toEqual([['0', 'late']]);
});

test('an answer tells when, by what and to which document', () => {
  const [obligation] = states({}, ['A@1', 'B@5'], '9');
  expect(obligation).toMatchObject({
    subject: 'case-1',
    anchorAt: instantOf('1'),
    dueAt: instantOf('2'),
    answeredAt: instantOf('5'),
    events: ['0', '1'],
    caseKey: 'subject:erp:case-1',
    why: 'x.a at 2026-05-01T00:00:00Z was answered after the deadline 2026-05-02T00:00:00Z by x.b at 2026-05-05T00:00:00Z',
  });
});

test('the amount is the one of the anchor, else the first that the case has', () => {
  const priced = eventsOf(['A@1', 'B@5']);
  const [a, b] = [priced[0] as (typeof priced)[0], priced[1] as (typeof priced)[0]];
  const rule = ruleOf(A_B);
  const money = { amount: '12.50', currency: 'EUR' };
  expect(
    evaluate(
      rule,
      [
        { ...a, ...money },
        { ...b, amount: '9', currency: 'USD' },
      ],
      contextAt('9'),
    )[0],
  ).toMatchObject(money);
  expect(evaluate(rule, [a, { ...b, ...money }], contextAt('9'))[0]).toMatchObject(money);
});

test('a scope limits who starts an obligation, not who answers it', () => {
  const [a, b] = eventsOf(['A@1', 'B@1 05:00']);
  const rule = ruleOf({ ...A_B, by: ['docno'], scope: { sources: ['ocr'] } });
  const events = [{ ...(a as object), source: 'ocr' }, b] as ReturnType<typeof eventsOf>;
  expect(evaluate(rule, events, contextAt('9')).map((o) => o.state)).toEqual(['satisfied']);
  expect(evaluate(rule, eventsOf(['A@1']), contextAt('9'))).toEqual([]);
  expect(
    evaluate(ruleOf({ ...A_B, scope: { companies: ['other'] } }), eventsOf(['A@1']), contextAt('9')),
  ).toEqual([]);
});
