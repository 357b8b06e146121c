import { expect, test } from 'vitest';
import { company, defaultCompany } from './company.ts';
import { parseInstant } from './time.ts';
import { isFresh, type SourceStream, watermarkAt, whyStale } from './watermark.ts';

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

test.each([
  ['assumed, never heard of', {}, 'Nothing has arrived yet.'],
  [
    'assumed and silent',
    { lastArrivalAt: at('15T12:00'), silenceNanos: 120n * MINUTE },
    'Nothing has arrived for 6 h; it may be silent for 2 h, and counts as complete up to 10 min before that.',
  ],
  [
    'declared long ago',
    { kind: 'declared', completeUpTo: at('12T18:00') },
    'Its last heartbeat says that it is complete up to 2026-05-12T18:00:00Z, 3 d ago; its silence of one business day and lateness of 10 min allow less.',
  ],
  [
    'imported up to an instant',
    { kind: 'imported', completeUpTo: at('01T00:00') },
    'Its file closes it up to 2026-05-01T00:00:00Z, 14 d ago, and nothing later was imported.',
  ],
  [
    'polled before the weekend',
    { kind: 'polled', completeUpTo: at('15T17:00'), silenceNanos: 30n * MINUTE },
    'The last round that read all of it was complete up to 2026-05-15T17:00:00Z, 60 min ago; its silence of 30 min and lateness of 10 min allow less.',
  ],
  ['fresh', { lastArrivalAt: at('15T17:59') }, undefined],
] as const)('why it is stale: %s', (_, given, sentence) => {
  expect(whyStale(stream(given), FRIDAY, USUAL)).toBe(sentence);
});
