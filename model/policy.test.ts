import { describe, expect, test } from 'vitest';
import { ACTIONS, type ActionKind } from './action.ts';
import { bandOf, DEFAULT_POLICY, mayAcknowledge, policy, tierOf } from './policy.ts';
import { type Principal, ROLES, type Role } from './principal.ts';

const human = (roles: Role[], companies = ['acme']): Principal => ({
  kind: 'human',
  id: 'h',
  name: 'H',
  roles,
  companies,
});
const model: Principal = { kind: 'model', id: 'm', name: 'M' };
const kinds = Object.keys(ACTIONS) as ActionKind[];

test('the default policy is a policy', () => {
  expect(policy.parse(DEFAULT_POLICY)).toEqual(DEFAULT_POLICY);
});

describe('acknowledging', () => {
  test.each(ROLES.map((role) => [role, ['support', 'finance', 'sre', 'admin'].includes(role)] as const))(
    '%s: %s',
    (role, allowed) => {
      expect(mayAcknowledge(human([role]), 'acme').outcome).toBe(allowed ? 'allowed' : 'denied');
    },
  );

  test('only in a company that one may read', () => {
    expect(mayAcknowledge(human(['admin']), 'other')).toEqual({
      outcome: 'denied',
      reason: 'no access to company other',
    });
    expect(mayAcknowledge(human(['support'], ['*']), 'other').outcome).toBe('allowed');
  });
});

describe('how many people an action takes', () => {
  const limits = { overall: '100000', performance: '60000', trivial: '5000' };
  test.each([
    ['0', 'below'],
    ['4999.99', 'below'],
    ['5000', 'trivial'],
    ['-59999.99', 'trivial'],
    ['60000', 'performance'],
    ['100000', 'overall'],
    [undefined, 'overall'],
  ] as const)('%s lies in the band %s', (amount, band) => {
    expect(bandOf(amount, limits)).toBe(band);
  });

  test('without materiality every amount counts as the highest', () => {
    expect(bandOf('1', undefined)).toBe('overall');
  });

  test.each([
    ['redrive-events', 'below', 'operator'],
    ['redrive-events', 'trivial', 'four-eyes'],
    ['redrive-events', 'overall', 'four-eyes'],
    ['waive', 'trivial', 'operator'],
    ['waive', 'performance', 'four-eyes'],
    ['rerun-posting', 'below', 'four-eyes'],
    ['nudge-approver', 'overall', 'none'],
  ] as const)('%s of an amount %s: %s', (kind, band, tier) => {
    expect(tierOf(DEFAULT_POLICY, kind, band)).toBe(tier);
  });

  test('the policy has an entry for every action, and may ask for more people', () => {
    expect(Object.keys(DEFAULT_POLICY.actions).sort()).toEqual([...kinds].sort());
    const { 'requeue-job': job } = DEFAULT_POLICY.actions;
    const actions = { ...DEFAULT_POLICY.actions, 'requeue-job': { ...job, tier: 'four-eyes' as const } };
    expect(tierOf({ ...DEFAULT_POLICY, actions }, 'requeue-job', 'below')).toBe('four-eyes');
  });
});

test('a model may nothing', () => {
  expect(mayAcknowledge(model, 'acme').outcome).toBe('denied');
});
