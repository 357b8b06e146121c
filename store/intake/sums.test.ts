import { expect, test } from 'vitest';
import { IntakeTally } from './sums.ts';

const AT = new Date('2026-05-15T12:34:56Z');
const later = (ms: number): Date => new Date(AT.getTime() + ms);
const ns = (at: Date): bigint => BigInt(at.getTime()) * 1_000_000n;
const arrived = { source: '/ocr', company: 'acme', stream: '', records: 2, bytes: 100 };
const lost = { source: '/ocr', company: 'acme', stream: '', reason: 'invalid', records: 1 } as const;

test('sums up by stream, minute and hour, and starts anew when they are taken', () => {
  const tally = new IntakeTally();
  tally.arrived({ ...arrived, newest: ns(AT) }, AT);
  tally.arrived({ ...arrived, known: 3, newest: ns(later(-5_000)) }, later(10_000));
  tally.arrived({ ...arrived, company: 'beta' }, AT);
  const { streams, rates } = tally.take(AT);
  expect(streams).toMatchObject([
    {
      company: 'acme',
      records: 4,
      bytes: 200,
      known: 3,
      last_event_ns: ns(AT),
      last_arrival_at: later(10_000),
    },
    { company: 'beta', records: 2, last_event_ns: null },
  ]);
  expect(rates.filter(({ company }) => company === 'acme')).toMatchObject([
    { width: 'hour', at: new Date('2026-05-15T12:00:00Z'), records: 4 },
    { width: 'minute', at: new Date('2026-05-15T12:34:00Z'), records: 2 },
    { width: 'minute', at: new Date('2026-05-15T12:35:00Z'), records: 2 },
  ]);
  expect(tally.take(AT)).toEqual({ streams: [], rates: [], losses: [], clocks: [] });
});

test('what could not be stored is added again; minutes that the table would not keep are left out', () => {
  const tally = new IntakeTally();
  tally.arrived(arrived, AT);
  tally.lost({ ...lost, detail: 'first' }, AT);
  const taken = tally.take(AT);
  const after = later(3 * 3_600_000);
  tally.arrived(arrived, after);
  tally.lost(lost, AT);
  tally.takeBack(taken, after);
  const again = tally.take(after);
  expect(again.streams).toMatchObject([{ records: 4, last_arrival_at: after }]);
  expect(again.losses).toMatchObject([{ records: 2, last_detail: 'first' }]);
  expect(again.rates.map(({ width, records }) => [width, records])).toEqual([
    ['hour', 2],
    ['hour', 2],
    ['minute', 2],
  ]);
});

test('senders that make names up are told apart up to a number; a known one always is', () => {
  const tally = new IntakeTally();
  for (let n = 0; n < 1_000; n++) tally.lost({ ...lost, source: `/made/up/${n}` }, AT);
  tally.arrived(arrived, AT);
  tally.lost(lost, AT);
  tally.lost({ ...lost, company: 'made up' }, AT);
  const { losses } = tally.take(AT);
  expect(losses.length).toBeLessThan(210);
  expect(losses.find(({ source }) => source === '(other)')).toMatchObject({ company: '', records: 900 });
  expect(losses.filter(({ source }) => source === '/ocr')).toMatchObject([
    { company: '', records: 1 },
    { company: 'acme', records: 1 },
  ]);
  tally.lost({ ...lost, source: '/made/up/999' }, later(3_600_000));
  expect(tally.take(AT).losses).toMatchObject([{ source: '/made/up/999' }]);
});

test('streams at a time are bounded', () => {
  const tally = new IntakeTally();
  for (let n = 0; n < 6_000; n++) tally.arrived({ ...arrived, source: `/s/${n}` }, AT);
  tally.arrived({ ...arrived, source: '/s/17' }, AT);
  const { streams } = tally.take(AT);
  expect(streams).toHaveLength(5_001);
  expect(streams.find(({ source }) => source === '(other)')).toMatchObject({ company: '', records: 2_000 });
  expect(streams.find(({ source }) => source === '/s/17')).toMatchObject({ records: 4 });
});

test('live data tell of the clock of their source; back-fill and telemetry of another source do not', () => {
  const tally = new IntakeTally();
  tally.arrived({ ...arrived, newest: ns(later(-86_400_000)), live: false }, AT);
  expect(tally.take(AT).clocks).toEqual([]);
  tally.arrived({ ...arrived, newest: ns(later(9_000)) }, AT);
  tally.arrived({ ...arrived, company: undefined, stream: 'traces', newest: ns(later(-1_000)) }, AT);
  tally.arrived({ ...arrived, source: '/bank', newest: ns(later(-300)) }, AT);
  expect(tally.take(AT).clocks).toMatchObject([
    { source: '/bank', state: 'in-step', skewMs: -300 },
    { source: '/ocr', state: 'ahead', skewMs: 9_000, records: 4 },
  ]);
  expect(tally.take(AT).clocks).toEqual([]);
});
