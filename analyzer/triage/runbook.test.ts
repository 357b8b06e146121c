import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadFlows } from '../detect/flow-files.ts';
import { entryOf, runbooksOf } from './runbook.ts';
import { tripwire } from './tripwire.ts';

const PAGE = `# Runbooks

## Bills

- **A-1, A-2** first *look* at
  the [case](cases.md).
- **A-3** then wait; **A-4** or not.

## Payments

- **B-1** pay.
`;

test('an entry of a page is found by each rule that it names, as plain words', () => {
  expect(entryOf(PAGE, 'A-1')).toBe('A-1, A-2 first look at the case.');
  expect(entryOf(PAGE, 'A-2')).toBe('A-1, A-2 first look at the case.');
  expect(entryOf(PAGE, 'A-4')).toBe('A-3 then wait; A-4 or not.');
  expect(entryOf(PAGE, 'B-1')).toBe('B-1 pay.');
  expect(entryOf(PAGE, 'A')).toBeUndefined();
});

test('every rule of the default pack has a runbook that says what to do, which trips no wire', async () => {
  const flows = await loadFlows(join(import.meta.dirname, '../../flows'));
  const runbooks = runbooksOf(flows);
  const rules = flows.flatMap(({ expectations }) => expectations.map(({ id }) => id));
  expect(rules.filter((rule) => !runbooks.get(rule)?.text)).toEqual([]);
  for (const { text = '' } of runbooks.values()) expect(tripwire(text)).toEqual([]);
});

test('an address that is not a page of ours is named and not read', async () => {
  const [flow] = await loadFlows(join(import.meta.dirname, '../../flows'));
  if (!flow) throw new Error('there is no flow');
  const expectations = flow.expectations.slice(0, 1).map((one) => ({ ...one, runbook: 'docs/none.md#x' }));
  const away = { ...flow, expectations };
  expect([...runbooksOf([away]).values()]).toEqual([{ address: 'docs/none.md#x', text: undefined }]);
});
