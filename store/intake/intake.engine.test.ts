import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCounters } from '../counters.ts';
import { openPostgres, type Postgres } from '../postgres/database.ts';
import { tidyIntake } from '../postgres/intake.ts';
import { listLosses } from '../postgres/loss-queries.ts';
import { declareComplete, listSources } from '../postgres/sources.ts';
import { intakeOf, listStreams, type StreamFilter, streamCursor } from '../postgres/streams.ts';
import { recordArrival } from '../postgres/testing/arrivals.ts';
import { backEnds, keepingLogger, type TemporaryPlace } from '../postgres/testing/back-ends.ts';
import { applyTerms } from '../source-terms.ts';
import { openIntake } from './intake.ts';

const NOON = Date.UTC(2026, 4, 15, 12, 0, 30);
const EVERYTHING = { companies: '*', telemetry: true } as const;
const ALL = { limit: 100 };
const arrived = { source: '/ocr', company: 'acme', stream: '', records: 10, bytes: 1_000 };
const traces = { source: '/ocr', stream: 'traces', records: 50, bytes: 9_000 };
const lost = { source: '/ocr', company: 'acme', stream: '', reason: 'invalid', records: 1 } as const;

describe.each(await backEnds())('on $name', ({ isAbsent, create }) => {
  let temporary: TemporaryPlace;
  let postgres: Postgres;
  let clock = NOON;
  const logger = keepingLogger();
  const counters = createCounters();
  const now = (): Date => new Date(clock);
  const minutes = (count: number): number => count * 60_000;
  const open = () => openIntake({ postgres, logger, counters, now, flushEveryMs: 3_600_000 });
  const namesOf = async (filter: StreamFilter) =>
    (await listStreams(postgres, filter, ALL)).map(({ source, company, stream }) => [
      source,
      company,
      stream,
    ]);
  const lossesOf = (filter: object = {}) =>
    listLosses(postgres, { ...EVERYTHING, since: new Date(0), ...filter }, 100);

  beforeAll(async () => {
    if (isAbsent) return;
    temporary = await create();
    postgres = await openPostgres(temporary.place, { logger });
  });
  beforeEach(async () => {
    clock = NOON;
    logger.lines.length = 0;
    await postgres?.pool.query(
      'TRUNCATE closewatch.intake, closewatch.source_rates, closewatch.losses, closewatch.source_clocks, closewatch.sources',
    );
  });
  afterAll(async () => {
    await postgres?.close();
    await temporary?.remove();
  });

  test.skipIf(isAbsent)(
    'sums of several flushes and processes add up; rates cover the time they say',
    async () => {
      const [one, other] = [open(), open()];
      one.arrived(arrived);
      await one.flush();
      clock += minutes(2);
      one.arrived({ ...arrived, known: 3 });
      other.arrived({ ...arrived, newest: BigInt(clock - 400) * 1_000_000n });
      other.arrived(traces);
      await Promise.all([one.close(), other.close()]);
      const [row] = await listStreams(postgres, { ...EVERYTHING, company: 'acme' }, ALL);
      expect(row).toMatchObject({ source: '/ocr', stream: '', events: '30', last_arrival_at: now() });
      clock += minutes(1);
      const streams = [arrived, { ...traces, company: '' }, { ...arrived, source: '/nobody' }];
      const [own, telemetry, nobody] = await intakeOf(postgres, streams, now());
      expect(own).toMatchObject({ domain: 'transactional', records: 30, bytes: 3_000, known: 3, lost: 0 });
      // 12:03:30: from 11:59:00, 11:04:00 and 13:00:00 of the day before on.
      expect(own?.rates).toEqual({ fiveMinutes: 30 / 4.5, hour: 30 / 59.5, day: 30 / (23 * 60 + 3.5) });
      expect(own?.clock).toMatchObject({ state: 'in-step', skewMs: -400 });
      expect(telemetry).toMatchObject({ domain: 'telemetry', records: 50, bytes: 9_000 });
      expect(nobody).toMatchObject({ records: 0, rates: { day: 0 }, clock: undefined });
      clock += minutes(10);
      const [later] = await intakeOf(postgres, [arrived], now());
      expect(later?.rates.fiveMinutes).toBe(0);
      expect(later?.rates.hour).toBeCloseTo(30 / 59.5);
    },
  );

  test.skipIf(isAbsent)(
    'a flush that fails keeps the sums, says so once, and the next one stores them',
    async () => {
      await postgres.pool.query('ALTER TABLE closewatch.losses RENAME TO away');
      const intake = open();
      intake.arrived(arrived);
      intake.lost(lost);
      await intake.flush();
      clock += minutes(1);
      await intake.flush();
      expect(logger.lines.filter((line) => line.includes('could not be stored yet'))).toHaveLength(1);
      expect(await namesOf(EVERYTHING)).toEqual([]);
      await postgres.pool.query('ALTER TABLE closewatch.away RENAME TO losses');
      intake.arrived(arrived);
      await intake.close();
      expect(await intakeOf(postgres, [arrived], now())).toMatchObject([{ records: 20, lost: 1 }]);
    },
  );

  test.skipIf(isAbsent)(
    'losses are counted by reason and hour, logged, and listed the most first',
    async () => {
      const intake = open();
      intake.lost({ ...lost, detail: `data.money ${'x'.repeat(500)}\0` });
      intake.lost(lost);
      intake.lost({ ...lost, source: '/bank', company: 'beta', reason: 'conflict', records: 7 });
      intake.lost({ source: '(unknown)', stream: 'traces', reason: 'unauthenticated', records: 1 });
      intake.lost({ ...lost, records: 0 });
      intake.lost({ ...lost, records: Number.NaN });
      clock += minutes(60);
      intake.lost(lost);
      await intake.flush();
      expect(await lossesOf()).toMatchObject([
        { source: '/bank', company: 'beta', reason: 'conflict', records: 7 },
        { source: '/ocr', company: 'acme', reason: 'invalid', records: 3, lastAt: now() },
        { source: '(unknown)', company: '', stream: 'traces', records: 1 },
      ]);
      expect((await lossesOf({ source: '/ocr' }))[0]?.detail).toHaveLength(200);
      expect(await lossesOf({ since: now() })).toMatchObject([{ source: '/ocr', records: 1 }]);
      expect(await lossesOf({ reasons: ['conflict'], stream: '' })).toHaveLength(1);
      expect(await lossesOf({ companies: ['acme'], telemetry: false })).toMatchObject([{ company: 'acme' }]);
      expect(await lossesOf({ companies: ['acme'], telemetry: true })).toHaveLength(2);
      expect(await lossesOf({ companies: [], telemetry: false })).toEqual([]);
      expect(logger.lines.filter((line) => line === 'warn records were lost').length).toBeGreaterThan(2);
      const counted = counters.snapshot().filter(({ name }) => name === 'closewatch_records_lost');
      expect(counted.find(({ labels }) => labels.source === '/bank')).toMatchObject({
        value: 7,
        labels: { source: '/bank', stream: '', reason: 'conflict' },
      });
      await intake.close();
    },
  );

  test.skipIf(isAbsent)('whatever a sender calls itself can be stored', async () => {
    const intake = open();
    const odd = { source: `\ud800\0${'字'.repeat(2_000)}`, company: '\0', stream: '\ud800', records: 1 };
    intake.arrived({ ...odd, bytes: -5, newest: 1n << 70n });
    intake.lost({ ...odd, reason: 'invalid' });
    await intake.close();
    expect(logger.lines.filter((line) => line.includes('could not'))).toEqual([]);
    expect(await listStreams(postgres, EVERYTHING, ALL)).toMatchObject([
      { events: '1', last_event_ns: null },
    ]);
  });

  test.skipIf(isAbsent)(
    'streams are listed by pages, companies and sources, telemetry for who may read it',
    async () => {
      await declareComplete(
        postgres.db,
        [{ source: '/odoo/prod', company: 'acme', stream: 'bills', completeUpTo: 5n }],
        now(),
      );
      await recordArrival(
        postgres.db,
        [{ source: '/odoo/test', company: 'beta', types: ['a.b'], events: 4 }],
        now(),
      );
      const intake = open();
      intake.arrived(arrived);
      intake.arrived({ ...arrived, source: '/odoo/test', company: 'beta' });
      intake.arrived(traces);
      await intake.close();
      const [ocr, telemetry] = [
        ['/ocr', 'acme', ''],
        ['/ocr', '', 'traces'],
      ];
      const [bills, beta] = [
        ['/odoo/prod', 'acme', 'bills'],
        ['/odoo/test', 'beta', ''],
      ];
      expect(await namesOf(EVERYTHING)).toEqual([telemetry, ocr, bills, beta]);
      expect(await namesOf({ companies: ['acme'], telemetry: false })).toEqual([ocr, bills]);
      expect(await namesOf({ companies: ['beta'], telemetry: true })).toEqual([telemetry, beta]);
      expect(await namesOf({ ...EVERYTHING, source: '/odoo' })).toEqual([bills, beta]);
      expect(await namesOf({ ...EVERYTHING, source: '/od' })).toEqual([]);
      expect(await namesOf({ ...EVERYTHING, domain: 'telemetry' })).toEqual([telemetry]);
      const first = await listStreams(postgres, EVERYTHING, { limit: 2 });
      const after = streamCursor(first.at(-1) as (typeof first)[0]);
      const rest = await listStreams(postgres, EVERYTHING, { limit: 9, after });
      expect(rest).toMatchObject([
        { source: '/odoo/prod', kind: 'declared', complete_up_to_ns: '5' },
        { source: '/odoo/test', kind: 'assumed', types: ['a.b'], events: '4' },
      ]);
    },
  );

  test.skipIf(isAbsent)('what rules depend on never holds telemetry', async () => {
    await recordArrival(postgres.db, [{ source: '/ocr', company: 'acme', types: ['a.b'], events: 1 }], now());
    const intake = open();
    intake.arrived(traces);
    intake.arrived({ ...traces, stream: 'logs' });
    await intake.close();
    expect(await namesOf(EVERYTHING)).toHaveLength(3);
    expect((await listSources(postgres)).map(({ company, stream }) => [company, stream])).toEqual([
      ['acme', ''],
    ]);
  });

  test.skipIf(isAbsent)(
    'terms hold for streams that are known and for new ones, and end with the setting',
    async () => {
      const terms = {
        '/odoo': { lateness: 60_000, silence: 7_200_000 },
        '/odoo/prod': { silence: 1_000, domain: 'master' },
      } as const;
      const intake = open();
      let isAway = true;
      intake.onNewStreams(async () => {
        if (isAway) throw new Error('the database is away');
        await applyTerms(postgres, terms);
      });
      await declareComplete(
        postgres.db,
        [{ source: '/odoo/prod', company: 'acme', stream: 'bills', completeUpTo: 5n }],
        now(),
      );
      intake.arrived({ ...arrived, source: '/odoo/prod', stream: 'bills', records: 0 });
      intake.arrived({ ...traces, source: '/odoo/test' });
      intake.arrived(arrived);
      await intake.flush();
      isAway = false;
      await intake.flush();
      const termsOf = async () =>
        (await listStreams(postgres, EVERYTHING, ALL)).map((row) => [
          row.source,
          row.lateness_ms,
          row.silence_ms,
        ]);
      expect(await termsOf()).toEqual([
        ['/ocr', '600000', null],
        ['/odoo/prod', '60000', '1000'],
        ['/odoo/test', '60000', '7200000'],
      ]);
      expect(await namesOf({ ...EVERYTHING, domain: 'master' })).toEqual([['/odoo/prod', 'acme', 'bills']]);
      const [prod] = (await listSources(postgres)).filter(({ source }) => source === '/odoo/prod');
      expect(prod).toMatchObject({
        kind: 'declared',
        latenessNanos: 60_000_000_000n,
        silenceNanos: 1_000_000_000n,
      });
      expect(await applyTerms(postgres, terms)).toBe(0);
      expect(await applyTerms(postgres, {})).toBe(3);
      expect(await termsOf()).toContainEqual(['/odoo/prod', '600000', null]);
      await intake.close();
    },
  );

  test.skipIf(isAbsent)('rates and losses go when no window reaches them any more; totals stay', async () => {
    const intake = open();
    intake.arrived(arrived);
    intake.lost(lost);
    await intake.close();
    const rows = async () =>
      await Promise.all(
        (['source_rates', 'losses', 'intake'] as const).map(
          async (table) => (await postgres.db.selectFrom(table).selectAll().execute()).length,
        ),
      );
    expect(await tidyIntake(postgres, new Date(clock + minutes(119)))).toBe(0);
    expect(await tidyIntake(postgres, new Date(clock + minutes(121)))).toBe(1);
    expect(await rows()).toEqual([1, 1, 1]);
    expect(await tidyIntake(postgres, new Date(clock + 3 * 86_400_000))).toBe(1);
    expect(await tidyIntake(postgres, new Date(clock + 91 * 86_400_000))).toBe(1);
    expect(await rows()).toEqual([0, 0, 1]);
  });

  test.skipIf(isAbsent)('stores by itself, and not after it is closed', async () => {
    const intake = openIntake({ postgres, logger, counters, now, flushEveryMs: 20 });
    intake.arrived(arrived);
    await expect.poll(() => namesOf(EVERYTHING), { timeout: 30_000 }).toHaveLength(1);
    await intake.close();
    intake.arrived({ ...arrived, source: '/late' });
    await intake.flush();
    expect(await namesOf(EVERYTHING)).toHaveLength(1);
  });
});
