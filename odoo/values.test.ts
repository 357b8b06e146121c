import { expect, test } from 'vitest';
import { recordUrl } from './links.ts';
import { modelsOf } from './models.ts';
import { amountOf, dateOf, idOf, idsOf, instantOf, labelOf, numberOf, textOf } from './values.ts';

test('empty is false for every type, and a many2one comes in two forms', () => {
  expect([textOf(false), textOf(''), textOf('x')]).toEqual([undefined, undefined, 'x']);
  expect([idOf([453, false]), idOf(7), idOf(false), idOf(0), idOf([])]).toEqual([
    453,
    7,
    undefined,
    undefined,
    undefined,
  ]);
  expect([labelOf([1, 'USD']), labelOf([1, false]), labelOf(1)]).toEqual(['USD', undefined, undefined]);
  expect([idsOf([1, 2]), idsOf(false)]).toEqual([[1, 2], []]);
  expect([numberOf('/'), numberOf(false), numberOf('BILL/1')]).toEqual([undefined, undefined, 'BILL/1']);
});

test('instants are UTC, with microseconds in a webhook; a lock date of year 1 is none', () => {
  expect(instantOf('2026-11-22 10:57:00')).toBe('2026-11-22T10:57:00Z');
  expect(instantOf('2026-11-22 11:10:27.916584')).toBe('2026-11-22T11:10:27.916584Z');
  expect(instantOf(false)).toBeUndefined();
  expect([dateOf('2026-10-31'), dateOf('1-01-01'), dateOf(false)]).toEqual([
    '2026-10-31',
    undefined,
    undefined,
  ]);
});

test('amounts are what Odoo kept, though they come as binary floats', () => {
  expect(amountOf(1150, 2)).toBe('1150.00');
  expect(amountOf(0.1 + 0.2, 2)).toBe('0.30');
  expect(amountOf(1.005, 2)).toBe('1.01');
  expect(amountOf(-0.001, 2)).toBe('0.00');
  expect(amountOf(1234.5, 0)).toBe('1235');
  expect(amountOf(123456789012.345, 3)).toBe('123456789012.345');
  expect([amountOf(false, 2), amountOf(Number.NaN, 2), amountOf('1', 2)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('the way to a record in the web client, by version', () => {
  const bill = { model: 'account.move', id: 42 };
  expect(recordUrl('https://acme.example/', { major: 17 }, bill)).toBe(
    'https://acme.example/web#id=42&model=account.move&view_type=form',
  );
  expect(recordUrl('https://acme.example', { major: 18 }, bill)).toBe(
    'https://acme.example/odoo/account.move/42',
  );
  expect(recordUrl('https://acme.example', { major: 19 }, { model: 'task', id: 1 })).toBe(
    'https://acme.example/odoo/m-task/1',
  );
});

test('what is read differs by version; an unknown one is read as the nearest', () => {
  const of = (major: number, model: string) =>
    modelsOf({ major })
      .find((one) => one.model === model)
      ?.fields.map(({ as, name }) => (as === name ? name : `${name} as ${as}`));
  expect(of(17, 'account.payment')).toContain('ref as memo');
  expect(of(18, 'account.payment')).toContain('memo');
  expect(of(17, 'account.move')).toContain('to_check');
  expect(of(18, 'account.move')).not.toContain('to_check');
  expect([of(17, 'account.lock_exception'), of(19, 'hr.expense.sheet')]).toEqual([undefined, undefined]);
  expect(modelsOf({ major: 16 })).toEqual(modelsOf({ major: 17 }));
  expect(modelsOf({ major: 20 })).toEqual(modelsOf({ major: 19 }));
  for (const major of [17, 18, 19])
    for (const { fields } of modelsOf({ major }))
      expect(new Set(fields.map(({ as }) => as)).size).toBe(fields.length);
});
