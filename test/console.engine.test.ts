import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { nanosOf } from '../model/time.ts';
import { openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { ADMIN, type ApiHouse, apiHouse } from './api-house.ts';
import { seedEvent, seedException, seedLandscape, TRACE_A } from './seed.ts';

const CHROMIUM = '/usr/bin/chromium';
/** The month that runs: which one is shown without a period depends on the day of the month. */
const READINESS = `#/readiness?company=acme&period=${new Date().toISOString().slice(0, 7)}`;
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

describe.skipIf(!existsSync(CHROMIUM))(`the console in a browser (skipped without ${CHROMIUM})`, () => {
  let house: ApiHouse;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    house = await apiHouse();
    await seedLandscape(house.postgres, house.clickhouse, nanosOf(new Date()));
    await house.postgres.db
      .insertInto('principals')
      .values({ id: 'ines', kind: 'human', name: 'Ines Moreau', roles: ['finance'], companies: ['acme'] })
      .execute();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
    context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
  });
  afterAll(async () => {
    await browser?.close();
    await house?.close();
  });

  const isFocused = (place: Locator) => place.evaluate((node) => node === node.ownerDocument.activeElement);
  const go = (hash: string) => page.goto(`${house.url}/${hash}`);

  test('signed out it shows the form, and a wrong token is refused', async () => {
    await go('');
    await page.getByLabel('Token').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'not known' }).waitFor();
    // The browser itself reports each 401.
    expect(complaints.every((text) => text.includes('401'))).toBe(true);
    complaints.length = 0;
  });

  test('signs in, lists, opens an incident and acknowledges it, all by keyboard', async () => {
    await page.getByLabel('Token').fill(ADMIN);
    await page.keyboard.press('Enter');
    const link = page.getByRole('link', { name: 'Bills are not posted: the tax engine answers 503' });
    await link.waitFor();
    expect(await page.getByRole('row').count()).toBe(4);
    expect(await page.getByRole('table').ariaSnapshot()).toContain('12,450.50 EUR of 37,351.50 EUR');

    for (let tabs = 0; tabs < 40 && !(await isFocused(link)); tabs++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: /tax engine answers 503/ }).waitFor();
    const button = page.getByRole('button', { name: 'Acknowledge' });
    await button.focus();
    await page.keyboard.press('Enter');
    const status = page.getByText(/^Acknowledged by admin/);
    await status.waitFor();
    await vi.waitFor(async () => expect(await isFocused(status)).toBe(true), 30_000);
    expect(await page.title()).toBe('#1 Bills are not posted: the tax engine answers 503 · Closewatch');
    const stored = await house.postgres.db
      .selectFrom('incidents')
      .select('state')
      .where('id', '=', 'inc-1')
      .executeTakeFirst();
    expect(stored?.state).toBe('acknowledged');
    await page.getByRole('heading', { name: 'Assessment' }).waitFor();
    await page.getByText('Three bills have passed their deadline.').waitFor();
  });

  test('the timeline of a chosen document has its events and spans', async () => {
    const choice = page.getByRole('button', { name: /account\.move\/1 / });
    await choice.click();
    expect(await choice.getAttribute('aria-pressed')).toBe('true');
    await page.getByText('purchaseorder.confirmed').waitFor();
    await page.getByText('error: tax engine: 503 Service Unavailable').waitFor();
  });

  test('an incident is handled with a reason: silenced, split, not resolved while exceptions are open', async () => {
    await page.getByText('Resolve, move or silence').click();
    const what = page.getByLabel('What to do');
    const handling = page.getByRole('region', { name: 'Handling' });
    const reason = handling.getByLabel('Reason');
    const told = handling.getByRole('status');
    const doIt = page.getByRole('button', { name: 'Do it' });
    await what.selectOption('resolve');
    await reason.fill('done');
    await doIt.click();
    await told.filter({ hasText: /exception/ }).waitFor();
    await what.selectOption('silence');
    const inThreeDays = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
    await handling.getByLabel('Until', { exact: true }).fill(inThreeDays);
    await reason.fill('a known outage');
    await doIt.click();
    await page.getByText(/No messages about MP-02 until .*a known outage/).waitFor();
    await page.getByRole('button', { name: 'End the silence' }).click();
    await page.getByText('Messages are sent again.').waitFor();
    await vi.waitFor(async () => expect(await page.getByText(/No messages about/).count()).toBe(0), 30_000);
    await what.selectOption('split');
    await reason.fill('another cause');
    await doIt.click();
    await told.filter({ hasText: 'Choose at least one exception.' }).waitFor();
    await page.getByRole('group', { name: 'Exceptions' }).getByRole('checkbox').first().check();
    await doIt.click();
    await told.filter({ hasText: 'They move within a minute.' }).waitFor();
    const moves = await house.postgres.db.selectFrom('incident_moves').selectAll().execute();
    expect(moves).toHaveLength(1);
    await house.postgres.db.deleteFrom('incident_moves').execute();
  });

  test('close readiness: verdict, gates, money and freshness', async () => {
    await go(READINESS);
    await page.getByText('Not ready').waitFor();
    await page.getByText('stale: /bank/feed').waitFor();
    expect(await page.getByRole('row', { name: /high 3 3/ }).innerText()).toContain('37,351.50 EUR');
    await page.getByRole('combobox', { name: 'Company' }).selectOption('beta');
    await page.getByRole('row', { name: /critical 1 1 99\.00 USD/ }).waitFor();
  });

  test('while another company is asked for nothing of the first one stands there', async () => {
    await go(READINESS);
    await page.getByText('Not ready').waitFor();
    let answer = (): void => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route('**/graphql', async (route) => {
      await asked;
      await route.continue();
    });
    await page.getByRole('combobox', { name: 'Company' }).selectOption('beta');
    await page.getByRole('status', { name: 'Loading' }).waitFor();
    expect(await page.getByRole('region', { name: 'Verdict' }).count()).toBe(0);
    answer();
    await page.getByRole('row', { name: /critical 1 1 99\.00 USD/ }).waitFor();
    await page.unroute('**/graphql');
  });

  test('a refresh that fails says so and keeps the page with what was chosen on it', async () => {
    const other = await context.newPage();
    await other.clock.install();
    await other.goto(`${house.url}/#/incidents/1`);
    const choice = other.getByRole('button', { name: /account\.move\/11 / });
    await choice.click();
    await other.getByText(/Evidence \(/).click();
    await other.route('**/graphql', (route) => route.fulfill({ status: 503, body: '' }));
    await other.clock.fastForward(20_000);
    // The incident itself, and the timeline of the document.
    const alerts = other
      .getByRole('alert')
      .filter({ hasText: /could not be refreshed; it is as of \d\d:\d\d:\d\d UTC/ });
    await vi.waitFor(async () => expect(await alerts.count()).toBe(2), 30_000);
    expect(await choice.getAttribute('aria-pressed')).toBe('true');
    await other.getByText('tax-engine', { exact: false }).first().waitFor();
    expect(await other.locator('.card details').getAttribute('open')).not.toBeNull();
    await other.unroute('**/graphql');
    for (const left of [1, 0]) {
      await alerts.first().getByRole('button', { name: 'Try again' }).click();
      await vi.waitFor(async () => expect(await alerts.count()).toBe(left), 30_000);
    }
    expect(await choice.getAttribute('aria-pressed')).toBe('true');
    await other.close();
  });

  test('a choice by keyboard keeps the focus where it was made', async () => {
    await go(READINESS);
    const company = page.getByRole('combobox', { name: 'Company' });
    await company.focus();
    await page.keyboard.press('ArrowDown');
    await page.getByRole('row', { name: /critical 1 1 99\.00 USD/ }).waitFor();
    expect(await isFocused(company)).toBe(true);
    await page.getByRole('link', { name: 'Outbox' }).click();
    await page.getByRole('heading', { level: 1, name: 'Outbox' }).waitFor();
    expect(await isFocused(page.getByRole('main'))).toBe(true);
  });

  test('what closes a gate is one step away: the exceptions, and the refused events', async () => {
    await house.postgres.db
      .insertInto('dead_letters')
      .values({
        source: '/odoo/prod/1',
        company: 'acme',
        reason_code: 'event.invalid',
        problems: JSON.stringify([{ where: '/data/amount', what: 'must be decimal text' }]),
        event_id: 'e-17',
      })
      .execute();
    await go(READINESS);
    await page.getByText('/data/amount: must be decimal text').waitFor();
    await page.getByText(/inbox discard \d+ --reason/).waitFor();
    await page.getByRole('region', { name: 'Gates' }).getByRole('link', { name: /open$/ }).click();
    await page.getByRole('heading', { level: 1, name: /^Exceptions/ }).waitFor();
    await page.getByRole('link', { name: 'account.move/11' }).click();
    await page.getByRole('heading', { level: 1, name: /tax engine answers 503/ }).waitFor();
  });

  test('the list is filtered by its address: it survives a reload, and back undoes', async () => {
    await go('#/incidents');
    const severity = page.getByRole('combobox', { name: 'Severity' });
    await severity.selectOption('critical');
    await page.waitForURL(/#\/incidents\?severity=critical$/);
    await page.reload();
    await page.getByRole('link', { name: 'The bank feed has sent nothing since yesterday' }).waitFor();
    expect(await page.getByRole('row').count()).toBe(2);
    expect(await severity.inputValue()).toBe('critical');
    await page.goBack();
    await page.getByRole('link', { name: /Payment requests wait/ }).waitFor();
    expect(await severity.inputValue()).toBe('');
    expect(await page.getByRole('row').nth(1).innerText()).toContain('The bank feed');
  });

  test('every exception and message can be reached, what is open first', async () => {
    const now = nanosOf(new Date());
    const rows = Array.from({ length: 120 }, (_, n) =>
      seedException(now, `9${n}`, { incident: 'inc-3', company: 'beta', state: n < 119 ? 'late' : 'open' }),
    );
    await house.postgres.db.insertInto('exceptions').values(rows).execute();
    await go('#/incidents/3');
    const choices = page.getByRole('button', { name: /account\.move\// });
    await page.getByRole('button', { name: 'Show more' }).click();
    await vi.waitFor(async () => expect(await choices.count()).toBe(100), 30_000);
    await page.getByRole('button', { name: 'Show more' }).click();
    await vi.waitFor(async () => expect(await choices.count()).toBe(121), 30_000);
    const first = await choices.nth(0).innerText();
    expect(first).toMatch(/critical/);
    expect(await choices.nth(1).innerText()).toContain('account.move/9119');
    await choices.nth(120).click();
    expect(await choices.nth(120).getAttribute('aria-pressed')).toBe('true');

    await house.postgres.pool.query(
      `INSERT INTO closewatch.messages (id, channel, kind, text, content_hash, state, created_at)
       SELECT 'old-' || n, 'outbox', 'incident', 'an old message', 'h', 'outbox', '2026-01-01' FROM generate_series(1, 60) n`,
    );
    await go('#/outbox');
    await page.getByRole('button', { name: 'Show more' }).click();
    await vi.waitFor(async () => expect(await page.locator('.messages > li').count()).toBe(62), 30_000);
  });

  test('what was opened stays open, with its focus, when a row comes in before it', async () => {
    const other = await context.newPage();
    await other.clock.install();
    await other.goto(`${house.url}/#/incidents/3`);
    const choices = other.getByRole('button', { name: /account\.move\// });
    for (const count of [100, 121]) {
      await other.getByRole('button', { name: 'Show more' }).click();
      await vi.waitFor(async () => expect(await choices.count()).toBe(count), 30_000);
    }
    const last = await choices.nth(120).elementHandle();
    await last?.focus();
    const row = seedException(nanosOf(new Date()), '9999', {
      incident: 'inc-3',
      company: 'beta',
      severity: 'critical',
    });
    await house.postgres.db.insertInto('exceptions').values(row).execute();
    await other.clock.fastForward(20_000);
    await other.getByRole('button', { name: /account\.move\/9999/ }).waitFor();
    await vi.waitFor(async () => expect(await choices.count()).toBe(122), 30_000);
    expect(await last?.evaluate((node) => node === node.ownerDocument.activeElement)).toBe(true);
    const subjects = (await choices.allInnerTexts()).map((text) => /account\.move\/\d+/.exec(text)?.[0]);
    expect(new Set(subjects).size).toBe(122);
    await other.close();
  });

  test('the timeline of an incident and the case that was found follow what happens', async () => {
    const places: Page[] = [];
    for (const hash of ['#/incidents/1', '#/search?key=docno:acme:bill 2026 05 0012']) {
      const other = await context.newPage();
      await other.clock.install();
      await other.goto(`${house.url}/${hash}`);
      if (hash.includes('incidents')) await other.getByRole('button', { name: /account\.move\/1 / }).click();
      await other.getByText('bill.drafted').waitFor();
      places.push(other);
    }
    const approved = seedEvent(nanosOf(new Date()), 1, {
      id: 'approved-1',
      type: 'bill.approved',
      subject: 'account.move/1',
    });
    await openFinanceEvents(house.clickhouse).insert([approved], 'seed:approved');
    for (const other of places) {
      await other.clock.fastForward(20_000);
      await other.getByText('bill.approved').waitFor();
      await other.close();
    }
  });

  test('a sign-out that fails is told', async () => {
    const other = await context.newPage();
    await other.goto(`${house.url}/#/outbox`);
    await other.route('**/signout', (route) => route.fulfill({ status: 500, body: '' }));
    await other.getByRole('button', { name: 'Sign out' }).click();
    await other.getByRole('alert').filter({ hasText: 'You are still signed in' }).waitFor();
    await other.close();
  });

  test('the link that a message holds opens the incident by its id', async () => {
    await go('#/incidents/inc-2');
    await page.getByRole('heading', { level: 1, name: /Payment requests wait/ }).waitFor();
    await page.getByText(/^Acknowledged by Ines Moreau/).waitFor();
    await page.getByRole('listitem').filter({ hasText: 'acknowledged by Ines Moreau' }).waitFor();
    await go('#/incidents/none');
    await page.getByText('There is no such incident').waitFor();
  });

  test('the outbox shows the blocks as people see them', async () => {
    await go('#/outbox');
    const message = page.getByRole('listitem', { name: /Bills are not posted.*\(Open\)/ });
    await message.waitFor();
    const shown = await message.innerText();
    expect(shown).toContain('of Müller & Co: <Berlin> were received');
    expect(shown).toContain('acme <& Söhne>');
    expect(shown).not.toMatch(/&(amp|lt|gt);/);
  });

  test('finds a case by its key and a trace by its id', async () => {
    await go('#/search');
    await page.getByLabel('Key or trace id').fill('docno:acme:bill 2026 05 0012');
    await page.keyboard.press('Enter');
    await page.getByText('bill.drafted').waitFor();
    const field = page.getByLabel('Key or trace id');
    await field.fill('bill 2026 05 0012');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Case of docno:acme:bill 2026 05 0012' }).waitFor();
    await field.fill('docno:BILL');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'a key is type:company:value' }).waitFor();
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    await page.getByLabel('Key or trace id').fill(TRACE_A);
    await page.keyboard.press('Enter');
    await page.getByRole('list', { name: 'Spans' }).getByText('POST /tax/determine').waitFor();
    await page.getByText('after 60 s').waitFor();
  });

  test('every control and page has a name for a screen reader, and fits a phone', async () => {
    await page.setViewportSize({ width: 375, height: 800 });
    const pages: [hash: string, heading: RegExp, content: RegExp][] = [
      ['#/incidents', /^Incidents/, /Payment requests wait/],
      ['#/incidents/1', /tax engine answers 503/, /No event of this document is stored/],
      [READINESS, /^Close readiness/, /Freshness of the sources/],
      ['#/sources', /^Sources/, /Its last heartbeat says/],
      ['#/outbox', /^Outbox/, /of Müller & Co: <Berlin>/],
      ['#/search', /^Find a document/, /32 hex digits/],
      [`#/trace/${TRACE_A}`, /^Trace/, /POST \/tax\/determine/],
    ];
    for (const [hash, heading, content] of pages) {
      await go(hash);
      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
      await page.getByText(content).first().waitFor();
      await page.locator('.skeleton').waitFor({ state: 'detached' });
      const tree = await page.locator('body').ariaSnapshot();
      expect(tree).toContain('- main');
      expect(tree).toContain('- navigation "Pages"');
      expect(tree).not.toMatch(/- (button|link|combobox|textbox)(:| \[|$)/m);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      // Nothing hides beside a table either.
      for (const box of await page.locator('.table-box').all())
        expect(await box.evaluate((node) => node.scrollWidth - node.clientWidth)).toBe(0);
    }
  });

  test('focus is seen, and the theme turns', async () => {
    await go('#/incidents');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).not.toBe('none');
    const colour = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    const before = await colour();
    await page.getByRole('button', { name: /Use the (dark|light) theme/ }).click();
    expect(await colour()).not.toBe(before);
  });

  test('a script that got into the page does not run', async () => {
    await page.evaluate(
      `const s = document.createElement('script'); s.textContent = 'globalThis.ran = true'; document.body.append(s)`,
    );
    expect(await page.evaluate('globalThis.ran')).toBeUndefined();
    expect(complaints.filter((text) => text.includes('Content Security Policy')).length).toBeGreaterThan(0);
  });

  test('nothing else complained', () => {
    expect(complaints.filter((text) => !text.includes('Content Security Policy'))).toEqual([]);
  });
});
