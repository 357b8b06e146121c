import { expect, test } from 'vitest';
import { flow, flowsWithoutModel } from './flow.ts';

const flowOf = (id: string, more: object = {}) => flow.parse({ flow: id, name: id, owner: 'ap', ...more });

test('no model is asked about a flow that says so, or whose class of data is kept from it', () => {
  const flows = [
    flowOf('bills'),
    flowOf('secret', { model: false }),
    flowOf('wages', { dataClasses: ['payroll', 'personal'] }),
    flowOf('bank', { dataClasses: ['bank-details'] }),
  ];
  expect([...flowsWithoutModel(flows, [])]).toEqual(['secret']);
  expect([...flowsWithoutModel(flows, ['payroll'])]).toEqual(['secret', 'wages']);
  expect([...flowsWithoutModel(flows, ['payroll', 'bank-details'])]).toEqual(['secret', 'wages', 'bank']);
});

test('a class of data is a short word', () => {
  expect(flow.safeParse({ flow: 'a', name: 'a', owner: 'a', dataClasses: ['Pay roll'] }).success).toBe(false);
});
