import { describe, expect, test } from 'vitest';
import {
  ALL_CHECKS,
  APPROVAL_CHECKS,
  APPROVER_CHECKS,
  type Checks,
  OPERATOR_CHECKS,
} from '../model/proposal.ts';
import { walkDecisions } from './decisions.ts';

const SEED = Number(process.env.SEED ?? 20261127);
const without = <T extends { code: string }>(checks: readonly T[], ...codes: string[]): readonly T[] =>
  checks.filter(({ code }) => !codes.includes(code));
const approver = (...codes: string[]): Partial<Checks> => ({
  approver: without(APPROVER_CHECKS, ...codes),
  approverAgain: without(APPROVER_CHECKS, ...codes),
});
const operator = (...codes: string[]): Partial<Checks> => ({
  operator: without(OPERATOR_CHECKS, ...codes),
  operatorAgain: without(OPERATOR_CHECKS, ...codes),
});

test(`in random histories nothing runs without the people that it takes (seed ${SEED})`, () => {
  const walk = walkDecisions({ seed: SEED, steps: 60_000 });
  expect(walk.violations).toEqual([]);
  // It is no walk in which nothing ever runs.
  expect(walk.ran).toBeGreaterThan(500);
  expect(walk.ranWithFourEyes).toBeGreaterThan(100);
});

describe('a policy that forgets one thing is found out within 10,000 steps', () => {
  const mutants: Record<string, Partial<Checks>> = {
    'one approves what one adopted': approver('self-approval'),
    'who made a document of the case approves': approver('maker'),
    'an account that is nobody’s is let through': approver('maker-unresolved'),
    'a service approves': approver('not-human'),
    'the company of the approver is ignored': approver('company'),
    'the role of the approver is ignored': approver('role', 'limit'),
    'the limit of the approver is ignored': approver('limit'),
    'the approver is not looked at again when it runs': { approverAgain: [] },
    'a role that was taken away since is ignored': {
      approverAgain: without(APPROVER_CHECKS, 'role', 'limit'),
    },
    'a limit that was lowered since is ignored': { approverAgain: without(APPROVER_CHECKS, 'limit') },
    'an approval of something else counts': { approval: without(APPROVAL_CHECKS, 'hash'), editVoids: false },
    'an old approval counts for the new text': { approval: without(APPROVAL_CHECKS, 'hash') },
    'an approval holds for ever': { approval: without(APPROVAL_CHECKS, 'approval-expired') },
    'an approval is used twice': { approval: without(APPROVAL_CHECKS, 'reused'), runsOnce: false },
    'a proposal waits for ever': { expires: false },
    'whatever one has seen, one approves what is there': { bindsHash: false },
    'nobody has to stand for it': { needsAdoption: false },
    'a service stands for it': operator('not-human'),
    'the company of who stands for it is ignored': operator('company'),
    'the role of who stands for it is ignored': operator('role'),
    'who stands for it is not looked at again': { operatorAgain: [] },
  };

  test.each(Object.entries(mutants))('%s', (_, forgotten) => {
    const found = [1, 2, 3].map(
      (seed) =>
        walkDecisions({ seed: SEED + seed, steps: 10_000 }, { ...ALL_CHECKS, ...forgotten }).violations
          .length,
    );
    expect(found).toContain(1);
  });

  test('there are at least twelve', () => {
    expect(Object.keys(mutants).length).toBeGreaterThanOrEqual(12);
  });
});
