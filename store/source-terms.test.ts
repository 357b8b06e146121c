import { expect, test } from 'vitest';
import { AUTHORITATIVE, authorityMarker, termOf } from './source-terms.ts';

const TERMS = {
  '*': { silence: 9_000 },
  '/odoo': { lateness: 1_000, silence: 2_000, authoritative: ['bill', 'payment'] },
  '/odoo/prod': { silence: 3_000 },
  '/psp': { authoritative: ['payment'] },
};

test.each([
  ['/odoo/prod/1', { lateness: 1_000, silence: 3_000 }],
  ['/odoo/test', { lateness: 1_000, silence: 2_000 }],
  ['/odoo2', { silence: 9_000 }],
])('of several terms for %s each field is as the longest name says', (source, terms) => {
  expect(termOf(TERMS, source)).toMatchObject(terms);
});

const event = (source: string, type: string, attributes: Record<string, string> = {}) => ({
  source,
  type,
  attributes,
});
const marked = { [AUTHORITATIVE]: 'false' };

test.each([
  ['the system of record', event('/odoo/prod/1', 'bill.posted'), {}],
  ['one of two', event('/psp', 'payment.confirmed'), {}],
  ['another source', event('/psp', 'bill.posted', { a: 'b' }), { a: 'b', ...marked }],
  ['another source that says it is', event('/x', 'bill.posted', { [AUTHORITATIVE]: 'true' }), marked],
  ['a kind of nobody', event('/x', 'order.paid', { [AUTHORITATIVE]: 'false', a: 'b' }), { a: 'b' }],
  ['a kind that begins alike', event('/x', 'billing.posted'), {}],
])('authority of %s', (_, given, attributes) => {
  expect(authorityMarker(TERMS)(given)).toEqual({ ...given, attributes });
});

test('an event that needs no mark is handed on as it is', () => {
  const given = event('/odoo', 'bill.posted');
  expect(authorityMarker(TERMS)(given)).toBe(given);
});
