import { describe, expect, test } from 'vitest';
import { holdOn, keptFor, retentionConfig } from './retention.ts';

const DAY_MS = 86_400_000;

describe('retention', () => {
  test('nothing goes that is not named', () => {
    const config = retentionConfig.parse({});
    expect(keptFor(config, 'traces', new Date())).toBeUndefined();
    expect(keptFor(config, 'events', new Date())).toBeUndefined();
  });

  test('a hold keeps its classes until its day, and the longest counts', () => {
    const config = retentionConfig.parse({
      traces: '30d',
      logs: '14d',
      holds: [
        { of: ['traces'], reason: 'review', until: '2026-02-01' },
        { of: ['traces', 'events'], reason: 'audit of 2025', until: '2026-06-30' },
      ],
    });
    const at = (day: string) => new Date(`${day}T23:59:59Z`);
    expect(keptFor(config, 'traces', at('2026-06-29'))).toBeUndefined();
    expect(holdOn(config, 'traces', at('2026-01-01'))?.reason).toBe('audit of 2025');
    expect(keptFor(config, 'traces', at('2026-06-30'))).toBe(30 * DAY_MS);
    expect(keptFor(config, 'logs', at('2026-01-01'))).toBe(14 * DAY_MS);
    const open = retentionConfig.parse({ traces: '1d', holds: [{ of: ['traces'], reason: 'dispute' }] });
    expect(keptFor(open, 'traces', at('2099-01-01'))).toBeUndefined();
  });

  test.each([
    [{ traces: '12h' }, 'must be at least 1d'],
    [{ events: '90d' }, 'must be at least 400d'],
    [{ logs: '3bd' }, 'must be an elapsed time'],
    [{ spans: '3d' }, 'Unrecognized key'],
    [{ holds: [{ of: ['traces'], reason: '' }] }, 'Too small'],
  ])('%j is refused: %s', (given, message) => {
    expect(JSON.stringify(retentionConfig.safeParse(given).error?.issues)).toContain(message);
  });
});
