import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openIntake } from '../store/intake/intake.ts';
import { recordArrival } from '../store/postgres/testing/arrivals.ts';
import { ADMIN, type ApiHouse, apiHouse, TOKEN_OF_ACME, TOKEN_OF_ACME_SRE } from './api-house.ts';

const CHROMIUM = '/usr/bin/chromium';
/** Where pictures of the pages go, when somebody wants to look at them. */
const PICTURES = process.env.CLOSEWATCH_PICTURES;

describe('what the API and the console show', () => {
  let house: ApiHouse;
  beforeAll(async () => {
    house = await apiHouse();
    const { postgres, logger } = house;
    const now = new Date();
    const ago = (minutes: number): Date => new Date(now.getTime() - minutes * 60_000);
    const ns = (at: Date): bigint => BigInt(at.getTime()) * 1_000_000n;
    await recordArrival(
      postgres.db,
      [
        {
          source: '/ocr/prod',
          company: 'acme',
          types: ['bill.received'],
          events: 640,
          lastEventAt: ns(ago(1)),
        },
      ],
      ago(1),
    );
    const week = 7 * 1_440;
    await recordArrival(
      postgres.db,
      [
        {
          source: '/bank/feed',
          company: 'beta',
          types: ['payment.confirmed'],
          events: 12,
          lastEventAt: ns(ago(week)),
        },
      ],
      ago(week),
    );
    const account = (at: Date) => openIntake({ postgres, logger, now: () => at });
    const earlier = account(ago(40));
    earlier.arrived({ source: '/ocr/prod', company: 'acme', stream: '', records: 600, bytes: 700_000 });
    earlier.arrived({
      source: '/billing',
      stream: 'traces',
      records: 9_000,
      bytes: 4_000_000,
      newest: ns(ago(40)),
    });
    await earlier.close();
    const intake = account(now);
    for (let n = 0; n < 3; n++)
      intake.arrived({
        source: '/ocr/prod',
        company: 'acme',
        stream: '',
        records: 40,
        bytes: 9_000,
        newest: ns(now) + 42_000_000_000n,
      });
    intake.lost({
      source: '/ocr/prod',
      company: 'acme',
      stream: '',
      reason: 'invalid',
      records: 12,
      detail: 'data.money.amount',
    });
    intake.lost({ source: '/bank/feed', company: 'beta', stream: '', reason: 'conflict', records: 1 });
    intake.lost({ source: '(unknown)', stream: 'traces', reason: 'unauthenticated', records: 31 });
    await intake.close();
  });
  afterAll(() => house?.close());

  const SOURCES = `{ sources { edges { node { source company stream domain fresh whyStale kind rate5m rate1h records bytes known
    lost24h eventLagSeconds clock { state skewMs confidence } } } } losses { source company reason owner records detail } }`;

  test('each stream with its rates, losses and clock', async () => {
    const { data, errors } = await house.graphql(SOURCES);
    expect(errors).toBeUndefined();
    const [bank, traces, ocr] = data.sources.edges.map(({ node }: { node: object }) => node);
    expect(bank).toMatchObject({ source: '/bank/feed', fresh: false, rate5m: 0, lost24h: 1, clock: null });
    expect(bank.whyStale).toMatch(/^Nothing has arrived for 7 d; it may be silent for one business day/);
    expect(traces).toMatchObject({
      company: '',
      stream: 'traces',
      domain: 'telemetry',
      kind: 'assumed',
      records: 9_000,
    });
    expect(traces.rate1h).toBeGreaterThan(100);
    expect(ocr).toMatchObject({
      source: '/ocr/prod',
      domain: 'transactional',
      fresh: true,
      whyStale: null,
      records: 720,
      bytes: 727_000,
      lost24h: 12,
      clock: { state: 'ahead', confidence: 'high' },
    });
    expect(data.losses).toEqual([
      {
        source: '(unknown)',
        company: '',
        reason: 'unauthenticated',
        owner: 'sender',
        records: 31,
        detail: null,
      },
      {
        source: '/ocr/prod',
        company: 'acme',
        reason: 'invalid',
        owner: 'sender',
        records: 12,
        detail: 'data.money.amount',
      },
      {
        source: '/bank/feed',
        company: 'beta',
        reason: 'conflict',
        owner: 'sender',
        records: 1,
        detail: null,
      },
    ]);
  });

  test('who reads one company sees its streams and losses; telemetry is for SREs', async () => {
    const namesOf = async (token: string) => {
      const { data } = await house.graphql(SOURCES, {}, token);
      return [
        data.sources.edges.map(({ node }: { node: { source: string } }) => node.source),
        data.losses.map(({ source }: { source: string }) => source),
      ];
    };
    expect(await namesOf(TOKEN_OF_ACME)).toEqual([['/ocr/prod'], ['/ocr/prod']]);
    expect(await namesOf(TOKEN_OF_ACME_SRE)).toEqual([
      ['/billing', '/ocr/prod'],
      ['(unknown)', '/ocr/prod'],
    ]);
  });

  test('pages and filters', async () => {
    const page = async (args: string) =>
      (
        await house.graphql(
          `{ sources(${args}) { edges { node { source } } pageInfo { hasNextPage endCursor } } }`,
        )
      ).data.sources;
    const first = await page('first: 2');
    expect(first).toMatchObject({ edges: [{}, {}], pageInfo: { hasNextPage: true } });
    const rest = await page(`first: 2, after: "${first.pageInfo.endCursor}"`);
    expect(rest.edges).toEqual([{ node: { source: '/ocr/prod' } }]);
    expect((await page('domain: telemetry')).edges).toEqual([{ node: { source: '/billing' } }]);
    expect((await page('source: "/ocr"')).edges).toHaveLength(1);
    expect((await page('company: ""')).edges).toEqual([{ node: { source: '/billing' } }]);
    const { data } = await house.graphql(
      '{ losses(reasons: [conflict]) { source } none: losses(since: "2200-01-01T00:00:00Z") { source } }',
    );
    expect(data).toEqual({ losses: [{ source: '/bank/feed' }], none: [] });
  });

  test('metrics have the gauges for who may read telemetry, and only then', async () => {
    const metricsOf = async (token: string) =>
      (await fetch(`${house.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
    const all = await metricsOf(ADMIN);
    expect(all).toContain('# TYPE closewatch_source_watermark_age_seconds gauge');
    expect(all).toContain('# TYPE closewatch_source_records counter');
    expect(all).toContain('closewatch_source_records{company="acme",source="/ocr/prod",stream=""} 720');
    expect(all).toContain('closewatch_source_fresh{company="beta",source="/bank/feed",stream=""} 0');
    expect(all).toMatch(/closewatch_source_skew_seconds\{source="\/ocr\/prod",state="ahead"\} 42\n/);
    expect(all).toContain('closewatch_ingest_pending_bytes{room="events"} 7');
    expect(all).toContain('closewatch_forward_backlog_batches 0');
    expect(await metricsOf(TOKEN_OF_ACME_SRE)).toContain('closewatch_source_records');
    const few = await metricsOf(TOKEN_OF_ACME);
    expect(few).toContain('closewatch_test_total 1');
    expect(few).not.toMatch(/beta|closewatch_source/);
  });

  const isSkipped = !existsSync(CHROMIUM);
  test.skipIf(isSkipped).each(['light', 'dark'] as const)(
    `the page of sources, %s (skipped without ${CHROMIUM})`,
    async (colorScheme) => {
      const browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: ['--no-sandbox', '--disable-gpu'],
      });
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(`${house.url}/signin?token=${house.signIn.issue()}`);
      await page.getByRole('link', { name: 'Sources' }).click();
      await page.getByRole('heading', { level: 1, name: 'Sources' }).waitFor();
      await page.getByText('Nothing has arrived for 7 d').waitFor();
      const ocr = page.getByRole('row', { name: /\/ocr\/prod/ });
      expect(await ocr.innerText()).toMatch(/acme\s+fresh[\s\S]*\d\d · 12 · 0\.\d+\s+12\s+42 s ahead/);
      expect(await page.getByRole('row', { name: /\/billing · traces/ }).innerText()).toContain('assumed');
      await page.getByText('31 unauthenticated').waitFor();
      await page.getByText(/closewatch inbox list says what is wrong/).waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      if (PICTURES) {
        mkdirSync(PICTURES, { recursive: true });
        await page.screenshot({ path: join(PICTURES, `sources-${colorScheme}.png`), fullPage: true });
        await page.setViewportSize({ width: 375, height: 800 });
        await page.screenshot({ path: join(PICTURES, `sources-${colorScheme}-phone.png`), fullPage: true });
      }
      expect(complaints).toEqual([]);
      await browser.close();
    },
  );
});
