import { expect, test } from 'vitest';
import {
  attempt,
  checkFlows,
  checkMemory,
  checkNode,
  checkSources,
  checkSpace,
  ok,
  printed,
  problem,
} from './doctor-checks.ts';

const GIB = 2 ** 30;
const stream = (source: string, fresh: boolean) => ({
  source,
  company: 'acme',
  stream: '',
  kind: 'declared',
  fresh,
  completeUpTo: fresh ? '2026-06-01T00:00:00Z' : null,
  events: 1,
  errors: 0,
});

test('Node 24 is asked for', () => {
  expect(checkNode('24.1.0').state).toBe('ok');
  expect(checkNode('20.20.2').state).toBe('problem');
});

test('a full disk is a problem, a nearly full one worth knowing', () => {
  expect([GIB - 1, GIB, 5 * GIB].map((free) => checkSpace(free).state)).toEqual(['problem', 'note', 'ok']);
});

test('the engine must leave half a GiB to the rest', () => {
  expect(checkMemory(1.4 * GIB, GIB).state).toBe('problem');
  expect(checkMemory(1.5 * GIB, GIB).state).toBe('ok');
  expect(checkMemory(0.5 * GIB, undefined).state).toBe('ok');
});

test('a stale source is a problem and is named; none at all is not', () => {
  expect(checkSources([]).state).toBe('note');
  expect(checkSources([stream('/odoo', true)]).state).toBe('ok');
  const check = checkSources([stream('/odoo', true), stream('/bank', false)]);
  expect(check).toMatchObject({ state: 'problem', finding: expect.stringContaining('/bank of acme') });
});

test('rules that wait for their first event are listed', () => {
  const rule = { flow: 'ap', why: '' };
  expect(checkFlows([]).state).toBe('problem');
  const check = checkFlows([
    { ...rule, rule: 'MP-02', status: 'active' },
    { ...rule, rule: 'SA-02', status: 'waiting' },
    { ...rule, rule: 'XX-01', status: 'off' },
  ]);
  expect(check).toEqual({
    name: 'flows',
    state: 'note',
    finding: '3 rules, 1 active; not applicable yet: SA-02',
  });
});

test('a check that throws is a problem', async () => {
  const failing = () => {
    throw new Error('no such host');
  };
  expect(await attempt('redis', failing, 'start it')).toEqual(problem('redis', 'no such host', 'start it'));
});

test('people read one line a check, and what to do', () => {
  expect(printed([ok('node', 'Node 24'), problem('ports', '4318 is taken', 'set another')])).toBe(
    '✓ node           Node 24\n✗ ports          4318 is taken\n                 → set another\n\n1 problem(s)\n',
  );
});
