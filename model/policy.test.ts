import { describe, expect, test } from 'vitest';
import { ACTIONS, type ActionKind } from './action.ts';
import { DEFAULT_POLICY, mayAcknowledge, mayAct, policy } from './policy.ts';
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

describe('acting', () => {
  test.each(kinds)('%s: its tier holds for everybody, administrators too', (kind) => {
    const wanted = ACTIONS[kind].tier === 'four-eyes' ? 'needs-approval' : 'allowed';
    for (const role of ['finance', 'sre', 'admin'] as const)
      expect(mayAct(human([role]), kind, 'acme').outcome).toBe(wanted);
    expect(mayAct(human(['auditor', 'manager', 'support']), kind, 'acme').outcome).toBe('denied');
  });

  test('a policy may ask for a second person where the catalogue does not', () => {
    const strict = {
      ...DEFAULT_POLICY,
      actions: { ...DEFAULT_POLICY.actions, tiers: { 'requeue-job': 'four-eyes' as const } },
    };
    expect(mayAct(human(['sre']), 'requeue-job', 'acme', strict).outcome).toBe('needs-approval');
  });
});

test('a model may nothing', () => {
  expect(mayAcknowledge(model, 'acme').outcome).toBe('denied');
  for (const kind of kinds) expect(mayAct(model, kind, 'acme').outcome).toBe('denied');
});
