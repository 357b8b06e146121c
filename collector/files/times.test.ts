import { describe, expect, test } from 'vitest';
import { formatInstant } from '../../model/time.ts';
import { compileTimeFormat, timeReader } from './times.ts';

const read = (format: string, text: string, zone?: string): string => {
  const at = timeReader(format, zone)(text);
  return typeof at === 'bigint' ? formatInstant(at) : at;
};

describe('times', () => {
  test.each([
    ['iso', '2018-01-02 12:53:00+00:00', undefined, '2018-01-02T12:53:00Z'],
    ['iso', '2018-01-02T12:53:00.123456789+02:00', undefined, '2018-01-02T10:53:00.123456789Z'],
    ['iso', '2018-01-02 12:53', 'Europe/Brussels', '2018-01-02T11:53:00Z'],
    ['iso', '2018-07-02T12:53:01,5', 'Europe/Brussels', '2018-07-02T10:53:01.5Z'],
    ['iso', '2018-07-02', 'America/New_York', '2018-07-02T04:00:00Z'],
    ['unix', '1514897580.5', undefined, '2018-01-02T12:53:00.5Z'],
    ['unix-ms', '1514897580123', undefined, '2018-01-02T12:53:00.123Z'],
    ['unix-ns', '1514897580123456789', undefined, '2018-01-02T12:53:00.123456789Z'],
    ['dd.MM.yyyy HH:mm:ss', '02.01.2018 12:53:01', 'UTC', '2018-01-02T12:53:01Z'],
    ['M/d/yyyy h:mm a', '1/2/2018 12:53 AM', 'UTC', '2018-01-02T00:53:00Z'],
    ['M/d/yyyy h:mm a', '1/2/2018 1:53 pm', 'UTC', '2018-01-02T13:53:00Z'],
    ['d-MMM-yy', '2-Jan-18', 'UTC', '2018-01-02T00:00:00Z'],
    ["yyyyMMdd'T'HHmmssX", '20180102T125300+0100', undefined, '2018-01-02T11:53:00Z'],
    ['yyyy-MM-dd HH:mm:ss.S', '2018-01-02 12:53:00.25', 'UTC', '2018-01-02T12:53:00.25Z'],
  ])('%s %s %s', (format, text, zone, expected) => {
    expect(read(format, text, zone)).toBe(expected);
  });

  test('the clock change: what is skipped moves on, what comes twice is the first', () => {
    expect(read('iso', '2026-03-29 01:59:59', 'Europe/Brussels')).toBe('2026-03-29T00:59:59Z');
    expect(read('iso', '2026-03-29 02:30:00', 'Europe/Brussels')).toBe('2026-03-29T01:30:00Z');
    expect(read('iso', '2026-10-25 02:30:00', 'Europe/Brussels')).toBe('2026-10-25T00:30:00Z');
    expect(read('iso', '2026-10-25 03:00:00', 'Europe/Brussels')).toBe('2026-10-25T02:00:00Z');
  });

  test('what cannot be read is told', () => {
    expect(read('iso', '2018-01-02 12:53:00')).toMatch(/^has no zone/);
    expect(read('iso', 'soon', 'UTC')).toMatch(/^is not a time of the format iso/);
    expect(read('iso', '2018-02-30 12:00', 'UTC')).toMatch(/^is no date of the calendar/);
    expect(read('M/d/yyyy h:mm a', '1/2/2018 13:53 PM', 'UTC')).toMatch(/^is not a time/);
    for (const format of ['', 'HH:mm', 'yyyy-MM', 'yyyy-MM-dd qq', 'yyyy-MM-dd yyyy']) {
      expect(compileTimeFormat(format)).toBeUndefined();
    }
  });
});
