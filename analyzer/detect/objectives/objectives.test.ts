import { describe, expect, test } from 'vitest';
import { burning } from './burn.ts';
import { countErrors } from './signatures.ts';

/** Minutes up to 0, each with so many spans of which a share is bad; `bad` by how long ago. */
const minutes = (bad: (ago: number) => number, total = 100) =>
  Array.from({ length: 4320 }, (_, index) => 4319 - index).map((ago) => ({
    minute: -ago,
    total,
    bad: bad(ago),
  }));
const told = (bad: (ago: number) => number, total?: number) =>
  burning(minutes(bad, total), { objective: 0.99, least: 5, now: 0 });

describe('burn rates', () => {
  test('a budget that is kept is not told', () => {
    expect(told(() => 0)).toBeUndefined();
    expect(told((ago) => (ago % 2 === 0 ? 1 : 0))).toBeUndefined();
  });

  test('an hour of every sixth is told at once, and over five minutes after it ends', () => {
    expect(told((ago) => (ago < 60 ? 17 : 0))).toMatchObject({
      severity: 'high',
      long: expect.closeTo(17, 1),
    });
    expect(told((ago) => (ago >= 5 && ago < 65 ? 17 : 0))).toBeUndefined();
  });

  test('a spike of a minute is not an hour', () => {
    expect(told((ago) => (ago === 0 ? 100 : 0))).toBeUndefined();
  });

  test('a slow burn is told as such', () => {
    expect(told((ago) => (ago < 1440 ? 4 : 0))).toMatchObject({
      severity: 'medium',
      long: expect.closeTo(4, 1),
    });
    expect(told(() => 1.2 as number)).toMatchObject({ severity: 'medium' });
  });

  test('of little traffic nothing is told', () => {
    expect(burning([{ minute: 0, total: 4, bad: 4 }], { objective: 0.99, least: 5, now: 0 })).toBeUndefined();
    expect(burning([{ minute: 0, total: 5, bad: 5 }], { objective: 0.99, least: 5, now: 0 })).toMatchObject({
      severity: 'high',
    });
  });

  test('exactly at the factor it is told', () => {
    const at = (bad: number) =>
      burning([{ minute: 0, total: 1000, bad }], { objective: 0.99, least: 5, now: 0 });
    expect(at(144)).toMatchObject({ severity: 'high' });
    expect(at(9)).toBeUndefined();
    expect(at(10)).toMatchObject({ severity: 'medium' });
  });
});

describe('error signatures', () => {
  const at = (minute: number): Date => new Date(Date.UTC(2026, 4, 1, 0, minute));
  const options = (minute: number, learning = false) => ({ minutes: 1, least: 3, at: at(minute), learning });
  const text = (text: string, count: number) => [{ service: 'odoo', text, count }];

  test('a new error is told once it has come often enough, and not while learning', () => {
    expect(countErrors([], text('bill 42 failed', 2), options(0)).findings).toEqual([]);
    expect(countErrors([], text('bill 42 failed', 3), options(0, true)).findings).toEqual([]);
    expect(countErrors([], text('bill 42 failed', 3), options(0)).findings).toMatchObject([
      { service: 'odoo', signature: 'bill <n> failed', isNew: true, count: 3 },
    ]);
  });

  test('what changes from one to the next is no difference', () => {
    const counts = [1, 2, 3, 4].flatMap((n) => text(`bill ${n} of "${n}" failed`, 1));
    expect(countErrors([], counts, options(0)).findings).toMatchObject([{ count: 4 }]);
  });

  test('a known error is told when it comes much more often than usual, and not when it comes as usual', () => {
    let known = countErrors([], text('timeout', 5), options(0, true)).rows;
    for (let minute = 1; minute < 2000; minute += 1)
      known = countErrors(known, text('timeout', 5), options(minute)).rows;
    expect(known[0]?.rate).toBeGreaterThan(2.5);
    expect(countErrors(known, text('timeout', 12), options(2000)).findings).toEqual([]);
    expect(countErrors(known, text('timeout', 90), options(2000)).findings).toMatchObject([
      { isNew: false, count: 90 },
    ]);
  });
});
