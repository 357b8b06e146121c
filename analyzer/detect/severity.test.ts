import { expect, test } from 'vitest';
import { company } from '../../model/company.ts';
import type { Obligation } from '../../model/obligation.ts';
import { instantOf } from './fixture.ts';
import { obligationSeverity } from './severity.ts';

const ACME = company.parse({
  key: 'acme',
  currency: 'EUR',
  materiality: { overall: '10000', performance: '5000', trivial: '100' },
});
const RULE = {
  severity: ['info', 'medium', 'high'] as ['info', 'medium', 'high'],
  closeImpact: 'blocker' as const,
};
const obligation = (given: Partial<Obligation>): Obligation =>
  ({
    anchorAt: instantOf('4'),
    dueAt: instantOf('6'),
    amount: '700',
    currency: 'EUR',
    ...given,
  }) as Obligation;

test.each([
  ['just below trivial', { amount: '99.99' }, '7', 'info'],
  ['trivial', { amount: '100' }, '7', 'medium'],
  ['just below performance materiality', { amount: '4999.99' }, '7', 'medium'],
  ['performance materiality', { amount: '5000' }, '7', 'high'],
  ['a credit note counts by its size', { amount: '-5000' }, '7', 'high'],
  ['overall materiality', { amount: '10000' }, '7', 'critical'],
  ['an unknown amount: the middle', { amount: undefined }, '7', 'medium'],
  ['another currency: the middle', { amount: '99999', currency: 'USD' }, '7', 'medium'],
  [
    'another currency, with the amount in ours',
    { amount: '1', currency: 'USD', companyAmount: '5000' },
    '7',
    'high',
  ],
  ['exactly three times overdue', {}, '12', 'medium'],
  ['more than that', {}, '12 00:00:00.000000001', 'high'],
  ['in a closing period', { period: '2026-04' }, '7', 'high'],
] as const)('%s', (_, given, at, level) => {
  expect(obligationSeverity(RULE, obligation(given as Partial<Obligation>), ACME, instantOf(at))).toBe(level);
});

test('a closing period raises only what blocks the close', () => {
  const facts = obligation({ period: '2026-04' });
  expect(obligationSeverity({ ...RULE, closeImpact: 'warning' }, facts, ACME, instantOf('7'))).toBe('medium');
});
