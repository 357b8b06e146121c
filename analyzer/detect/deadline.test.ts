import { expect, test } from 'vitest';
import { company } from '../../model/company.ts';
import { formatInstant, parseInstant } from '../../model/time.ts';
import { dueOf, shifted } from './deadline.ts';

const in_ = (timezone: string, hours?: { from: string; to: string }) =>
  company.parse({
    key: 'c',
    timezone,
    calendar: { holidays: ['2026-12-25', '2027-01-01'], ...(hours ? { hours } : {}) },
  });
const COMPANIES = {
  Brussels: in_('Europe/Brussels'),
  'New York': in_('America/New_York', { from: '09:00', to: '17:00' }),
  Singapore: in_('Asia/Singapore'),
} as const;

const due = (
  timing: object,
  where: keyof typeof COMPANIES,
  at: string,
  more: object = {},
): string | undefined => {
  const found = dueOf(
    timing,
    {
      at: parseInstant(at) as bigint,
      keys: [],
      attributes: {},
      data: {},
      type: 'a.b',
      company: 'c',
      source: 's',
      subject: 'x',
      ...more,
    },
    COMPANIES[where],
  );
  return found === undefined ? undefined : formatInstant(found);
};

test.each([
  // The clocks go forward on 29 March and back on 25 October in Brussels, on 8 March and 1 November in New York.
  [
    'elapsed time does not know of clocks',
    { within: '24h' },
    'Brussels',
    '2026-03-28T20:00:00Z',
    '2026-03-29T20:00:00Z',
  ],
  [
    'the local time stays over the change forward',
    { within: '1bd' },
    'Brussels',
    '2026-03-27T09:00:00Z',
    '2026-03-30T08:00:00Z',
  ],
  ['and back', { within: '1bd' }, 'Brussels', '2026-10-23T09:00:00Z', '2026-10-26T10:00:00Z'],
  ['forward in New York', { within: '1bd' }, 'New York', '2026-03-06T15:00:00Z', '2026-03-09T14:00:00Z'],
  ['back in New York', { within: '1bd' }, 'New York', '2026-10-30T14:00:00Z', '2026-11-02T15:00:00Z'],
  [
    'a zone without clock changes',
    { within: '2bd' },
    'Singapore',
    '2026-03-27T09:00:00Z',
    '2026-03-31T09:00:00Z',
  ],
  [
    'over Christmas, the weekend and the new year',
    { within: '5bd' },
    'Brussels',
    '2026-12-24T10:00:00Z',
    '2027-01-04T10:00:00Z',
  ],
  [
    'the end of WD1 after a year that ends on a Thursday',
    { until: 'WD1' },
    'Brussels',
    '2026-12-15T10:00:00Z',
    '2027-01-04T23:00:00Z',
  ],
  [
    'the end of WD2 in Singapore',
    { until: 'WD2' },
    'Singapore',
    '2026-05-15T10:00:00Z',
    '2026-06-02T16:00:00Z',
  ],
  [
    'the earlier of two',
    { within: '10bd', until: 'WD1' },
    'Brussels',
    '2026-05-04T10:00:00Z',
    '2026-05-18T10:00:00Z',
  ],
  [
    'the earlier of two, the other way',
    { within: '10bd', until: 'WD1' },
    'Brussels',
    '2026-05-28T10:00:00Z',
    '2026-06-01T22:00:00Z',
  ],
  [
    'before the cut-off it counts at once',
    { within: '1bd', cutoff: '16:00' },
    'Brussels',
    '2026-05-05T14:00:00Z',
    '2026-05-06T14:00:00Z',
  ],
  [
    'after it, from the next working day',
    { within: '1bd', cutoff: '16:00' },
    'Brussels',
    '2026-05-05T14:00:01Z',
    '2026-05-06T22:00:00Z',
  ],
  [
    'on a free day too, from its opening',
    { within: '1bd', cutoff: '16:00' },
    'New York',
    '2026-05-02T14:00:00Z',
    '2026-05-05T13:00:00Z',
  ],
  [
    'less time about the close',
    { within: '3bd', closing: '1bd' },
    'Brussels',
    '2026-05-28T10:00:00Z',
    '2026-05-29T10:00:00Z',
  ],
  [
    'and the usual time else',
    { within: '3bd', closing: '1bd' },
    'Brussels',
    '2026-05-20T10:00:00Z',
    '2026-05-25T10:00:00Z',
  ],
  [
    'grace at the end',
    { within: '2bd', grace: '1bd' },
    'Brussels',
    '2026-05-05T10:00:00Z',
    '2026-05-08T10:00:00Z',
  ],
] as const)('%s', (_, timing, where, at, expected) => {
  expect(due(timing, where, at)).toBe(expected);
});

test('a date is due at its end, moved by working days, and never before the event', () => {
  const until = { field: 'data.dates.dueDate', shift: '-3bd' };
  const dated = (dueDate: string) => ({ data: { dates: { dueDate } } });
  expect(due({ until }, 'Brussels', '2026-05-04T10:00:00Z', dated('2026-05-29'))).toBe(
    '2026-05-26T22:00:00Z',
  );
  expect(due({ until }, 'Brussels', '2026-05-28T10:00:00Z', dated('2026-05-29'))).toBe(
    '2026-05-28T10:00:00Z',
  );
  expect(due({ until }, 'Brussels', '2026-05-04T10:00:00Z')).toBeUndefined();
  expect(due({ until, within: '1d' }, 'Brussels', '2026-05-04T10:00:00Z')).toBe('2026-05-05T10:00:00Z');
});

test.each([
  ['2026-05-29', '+1d', '2026-05-30T22:00:00Z'],
  ['2026-05-29', '-2w', '2026-05-15T22:00:00Z'],
  ['2026-05-29', '-2h', '2026-05-29T20:00:00Z'],
  ['2026-05-29T15:00:00Z', '-2h', '2026-05-29T13:00:00Z'],
  ['2026-05-29T15:00:00Z', '+1bd', '2026-06-01T15:00:00Z'],
  ['2026-05-29T15:00:00Z', undefined, '2026-05-29T15:00:00Z'],
])('%s moved by %s', (text, shift, expected) => {
  const found = shifted(text, shift, COMPANIES.Brussels);
  expect(found === undefined ? undefined : formatInstant(found)).toBe(expected);
});

test('text that is no time is none', () => {
  expect(shifted('for ever', '-1d', COMPANIES.Brussels)).toBeUndefined();
});
