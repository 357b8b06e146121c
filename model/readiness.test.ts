import { expect, test } from 'vitest';
import {
  confidenceOf,
  type ExceptionGroup,
  gatesOf,
  linesOf,
  type ReadinessFacts,
  verdictOf,
} from './readiness.ts';

const group = (over: Partial<ExceptionGroup> = {}): ExceptionGroup => ({
  severity: 'medium',
  closeImpact: 'none',
  state: 'open',
  count: 1,
  ...over,
});
const facts = (over: Partial<ReadinessFacts> = {}): ReadinessFacts => ({
  ended: true,
  dataKnown: true,
  groups: [],
  sources: [{ source: 'odoo', complete: true }],
  deadLetters: { own: 0, nobodys: 0 },
  materialityKnown: true,
  ...over,
});
const states = (f: ReadinessFacts) => Object.fromEntries(gatesOf(f).map((g) => [g.id, g.state]));

test.each([
  ['nothing is wrong', facts(), 'ready', []],
  ['a medium one that blocks nothing', facts({ groups: [group()] }), 'ready', []],
  [
    'a critical one',
    facts({ groups: [group({ severity: 'critical' })] }),
    'not-ready',
    ['critical-exception'],
  ],
  ['a blocker', facts({ groups: [group({ closeImpact: 'blocker' })] }), 'not-ready', ['blocking-exceptions']],
  ['a waived blocker', facts({ groups: [group({ closeImpact: 'blocker', state: 'waived' })] }), 'ready', []],
  [
    'a stale source',
    facts({ sources: [{ source: 'bank', complete: false }] }),
    'not-ready',
    ['stale-source'],
  ],
  ['a dead letter', facts({ deadLetters: { own: 2, nobodys: 0 } }), 'not-ready', ['dead-letters']],
  ['a dead letter of nobody knows whom', facts({ deadLetters: { own: 0, nobodys: 2 } }), 'ready', []],
  ['a period that still runs', facts({ ended: false }), 'unknown', []],
  ['a period of before there was any data', facts({ dataKnown: false }), 'unknown', []],
  [
    'a blocker of a period that still runs',
    facts({ ended: false, groups: [group({ closeImpact: 'blocker' })] }),
    'not-ready',
    ['blocking-exceptions'],
  ],
])('%s', (_, given, verdict, blocked) => {
  const gates = gatesOf(given);
  expect(verdictOf(gates)).toBe(verdict);
  expect(gates.filter((g) => g.state === 'blocked').map((g) => g.id)).toEqual(blocked);
});

test('what cannot be told is never ready, and lowers the confidence', () => {
  expect(states(facts({ sources: [] }))['stale-source']).toBe('unknown');
  expect(verdictOf(gatesOf(facts({ sources: [] })))).toBe('unknown');
  expect(verdictOf(gatesOf(facts({ groups: [group({ state: 'indeterminate' })] })))).toBe('unknown');
  expect(confidenceOf(gatesOf(facts()), true)).toBe(1);
  expect(confidenceOf(gatesOf(facts({ sources: [] })), true)).toBe(0.86);
  expect(confidenceOf(gatesOf(facts({ ended: false, dataKnown: false })), true)).toBe(0.71);
  expect(confidenceOf(gatesOf(facts()), false)).toBe(0.8);
  expect(confidenceOf([], true)).toBe(0);
});

test('dead letters that concern nobody known are told at the gate', () => {
  const [gate] = gatesOf(facts({ deadLetters: { own: 0, nobodys: 2 } })).slice(-1);
  expect(gate).toMatchObject({
    state: 'passed',
    detail: '0 open dead letters; 2 more name neither a known source nor a known company',
  });
});

test('money is summed exactly, by severity and currency, without what is waived', () => {
  const lines = linesOf([
    group({ severity: 'high', currency: 'EUR', amount: '0.1', count: 2, closeImpact: 'blocker' }),
    group({ severity: 'high', currency: 'EUR', amount: '0.2' }),
    group({ severity: 'high', currency: 'USD', amount: '5' }),
    group({ severity: 'high', currency: 'EUR', amount: '100', state: 'waived' }),
  ]);
  expect(lines.map((line) => line.severity)).toEqual(['critical', 'high', 'medium', 'low', 'info']);
  expect(lines[1]).toEqual({
    severity: 'high',
    count: 4,
    blockers: 2,
    sums: [
      { currency: 'EUR', amount: '0.3' },
      { currency: 'USD', amount: '5' },
    ],
  });
});
