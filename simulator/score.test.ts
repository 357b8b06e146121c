import { expect, test } from 'vitest';
import { score } from './score.ts';

const fault = (rule: string, subject: string) => ({ rule, company: 'acme', subject });

test('counts what was found, missed and wrong, over all and by rule', () => {
  const truth = [fault('MP-02', 'a'), fault('MP-02', 'b'), fault('SA-02', 'c')];
  const findings = [fault('MP-02', 'a'), fault('MP-02', 'a'), fault('SA-02', 'b'), fault('CT-01', 'x')];
  expect(score(truth, findings)).toEqual({
    planted: 3,
    found: 1,
    missed: 2,
    wrong: 3,
    byRule: {
      'CT-01': { planted: 0, found: 0, missed: 0, wrong: 1 },
      'MP-02': { planted: 2, found: 1, missed: 1, wrong: 1 },
      'SA-02': { planted: 1, found: 0, missed: 1, wrong: 1 },
    },
  });
});

test('a finding of another company is wrong', () => {
  const found = { ...fault('MP-02', 'a'), company: 'other' };
  expect(score([fault('MP-02', 'a')], [found])).toMatchObject({ found: 0, missed: 1, wrong: 1 });
});
