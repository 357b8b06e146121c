import { expect, test } from 'vitest';
import { company, defaultCompany } from './company.ts';
import { parseInstant } from './time.ts';
import { isFresh, type SourceStream, watermarkAt } from './watermark.ts';

const at = (text: string): bigint => parseInstant(`2026-05-${text}:00Z`) as bigint;
const MINUTE = 60_000_000_000n;
const stream = (given: Partial<SourceStream>): SourceStream => ({
  source: 'ocr',
  company: 'acme',
  stream: '',
  kind: 'assumed',
  completeWithoutLimit: false,
  latenessNanos: 10n * MINUTE,
  types: [],
  ...given,
});
// 15 May 2026 is a Friday, 25 May a Monday.
const FRIDAY = at('15T18:00');
const USUAL = defaultCompany('acme');
const HOLIDAY = company.parse({ key: 'acme', calendar: { holidays: ['2026-05-18'] } });

test.each([
  ['over the weekend', '17T18:00', true],
  ['until the same time of Monday', '18T18:00', true],
  ['and no longer', '18T18:01', false],
])('an assumed source last heard of on Friday evening is alive %s', (_, now, alive) => {
  const assumed = stream({ lastArrivalAt: FRIDAY });
  expect(isFresh(assumed, at(now), USUAL)).toBe(alive);
  expect(watermarkAt(assumed, at(now), USUAL)).toBe((alive ? at(now) : FRIDAY) - 10n * MINUTE);
});

test('a holiday of its company does not count', () => {
  const assumed = stream({ lastArrivalAt: FRIDAY });
  expect(isFresh(assumed, at('19T18:00'), USUAL)).toBe(false);
  expect(isFresh(assumed, at('19T18:00'), HOLIDAY)).toBe(true);
});

test('a silence of its own is elapsed time', () => {
  const assumed = stream({ lastArrivalAt: FRIDAY, silenceNanos: 60n * MINUTE });
  expect(isFresh(assumed, at('15T19:00'), USUAL)).toBe(true);
  expect(isFresh(assumed, at('15T19:01'), USUAL)).toBe(false);
});

test('a declared mark is fresh for its silence and lateness', () => {
  const declared = stream({ kind: 'declared', completeUpTo: FRIDAY });
  expect(isFresh(declared, at('18T18:10'), USUAL)).toBe(true);
  expect(isFresh(declared, at('18T18:11'), USUAL)).toBe(false);
  expect(isFresh(stream({ kind: 'declared' }), FRIDAY, USUAL)).toBe(false);
  expect(isFresh(stream({ kind: 'imported', completeWithoutLimit: true }), FRIDAY, USUAL)).toBe(true);
});
