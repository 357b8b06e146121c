import { expect, test } from 'vitest';
import type { ExceptionState } from '../../model/exception.ts';
import { type ExceptionBefore, exceptionStateOf, nextException } from './exception-changes.ts';

const NOW = new Date('2026-05-09T00:00:00Z');
const EARLIER = new Date('2026-05-01T00:00:00Z');
const JUDGED = { severity: 'medium', closeImpact: 'none' } as const;
const before = (state: ExceptionState, given: Partial<ExceptionBefore> = {}): ExceptionBefore => ({
  state,
  openedAt: EARLIER,
  closedAt: ['open', 'indeterminate', 'waived'].includes(state) ? null : EARLIER,
  reopened: 0,
  notify: true,
  inhibitedBy: null,
  ...given,
});

test.each([
  // before, asked for → state, change, notify, reopened, closed now
  [undefined, 'open', ['open', 'opened', true, 0, false]],
  [undefined, 'indeterminate', ['indeterminate', 'opened', false, 0, false]],
  [before('open'), 'open', ['open', 'changed', true, 0, false]],
  [before('open'), 'late', ['late', 'closed', true, 0, true]],
  [before('open'), 'voided', ['voided', 'closed', true, 0, true]],
  [before('open'), 'resolved', ['resolved', 'closed', true, 0, true]],
  [before('indeterminate', { notify: false }), 'open', ['open', 'changed', true, 0, false]],
  [before('indeterminate', { notify: false }), 'resolved', ['resolved', 'closed', false, 0, true]],
  [before('late'), 'open', ['open', 'reopened', true, 1, false]],
  [before('resolved', { reopened: 2 }), 'indeterminate', ['indeterminate', 'reopened', true, 3, false]],
  [before('waived'), 'open', ['waived', 'changed', true, 0, false]],
  [before('waived'), 'late', ['late', 'closed', true, 0, true]],
] as const)('%o, then %s', (was, state, [after, change, notify, reopened, closedNow]) => {
  const next = nextException(was, state, JUDGED, NOW);
  expect(next).toMatchObject({ state: after, change, notify, reopened });
  expect(next?.closedAt?.getTime() === NOW.getTime()).toBe(closedNow);
});

test.each(['late', 'voided', 'resolved', 'waived'] as const)('nothing begins as %s', (state) => {
  expect(nextException(undefined, state, JUDGED, NOW)).toBeUndefined();
});

test('what closed keeps when it closed', () => {
  expect(nextException(before('late'), 'voided', JUDGED, NOW)).toMatchObject({
    state: 'voided',
    closedAt: EARLIER,
  });
});

test.each(['open', 'resolved', 'waived'] as const)(
  'what opened at a time that is yet to come opened now: %s',
  (state) => {
    const ahead = before(state, { openedAt: new Date('2026-05-29T00:00:00Z') });
    expect(nextException(ahead, 'open', JUDGED, NOW)?.openedAt).toEqual(NOW);
    expect(nextException(ahead, 'resolved', JUDGED, NOW)?.openedAt).toEqual(NOW);
  },
);

test('only an indeterminate exception is inhibited', () => {
  const inhibited = before('indeterminate', { inhibitedBy: 'source:odoo' });
  expect(nextException(inhibited, 'indeterminate', JUDGED, NOW)?.inhibitedBy).toBe('source:odoo');
  expect(nextException(inhibited, 'open', JUDGED, NOW)?.inhibitedBy).toBeNull();
});

test('a voided duplicate is resolved: its condition is gone', () => {
  expect(exceptionStateOf({ state: 'voided', kind: 'no-duplicate' })).toBe('resolved');
  expect(exceptionStateOf({ state: 'voided', kind: 'response' })).toBe('voided');
  expect(exceptionStateOf({ state: 'satisfied', kind: 'response' })).toBe('resolved');
  expect(exceptionStateOf('gone')).toBe('resolved');
});
