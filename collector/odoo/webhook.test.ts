import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ClosewatchError } from '../../model/errors.ts';
import { type Hint, Spool } from './spool.ts';
import { createWebhookHandler, type HookOutcome, hashOfSecret, type WebhookDeps } from './webhook.ts';

const SECRET = 'b6d1c8f0a4e35d29';
const PROD = { source: '/odoo/prod', secretHash: hashOfSecret(SECRET) };
let folder: string;
let spool: Spool;
let server: Server;
let outcomes: [HookOutcome, string | undefined][];

async function serve(over: Partial<WebhookDeps> = {}): Promise<string> {
  const handle = createWebhookHandler({
    spool,
    sourceOf: (name) => (name === 'prod' ? PROD : undefined),
    onHook: (outcome, source) => outcomes.push([outcome, source]),
    now: () => 1_780_000_000_000,
    ...over,
  });
  server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'closewatch-hook-'));
  spool = new Spool(folder, { maxBytes: 1 << 20 });
  outcomes = [];
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await spool.close();
  rmSync(folder, { recursive: true, force: true });
});

const post = async (url: string, body: string, init: RequestInit = {}): Promise<number> =>
  (await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' }, ...init }))
    .status;
/** As Odoo sends it: the fields that were chosen, many2one as bare ids, instants with microseconds. */
const sent = (id: number): string =>
  JSON.stringify({
    _action: 'Send Webhook Notification(#516)',
    _id: id,
    _model: 'account.move',
    amount_total: 1150.0,
    id,
    name: 'BILL/2026/11/0012',
    state: 'posted',
    write_date: '2026-11-22 11:10:27.916584',
  });

test('a burst of 500 is on disk when it is answered', async () => {
  const url = await serve();
  const statuses: number[] = [];
  const ids = Array.from({ length: 500 }, (_, i) => i + 1);
  await Promise.all(ids.map(async (id) => statuses.push(await post(`${url}/odoo/prod/${SECRET}`, sent(id)))));
  expect(new Set(statuses)).toEqual(new Set([202]));
  const again = new Spool(folder, { maxBytes: 1 << 20 });
  const hints: Hint[] = [];
  for (let segment = await again.take(); segment; segment = await again.take()) {
    hints.push(...segment.hints);
    await segment.done();
  }
  expect(hints.map(({ id }) => id).sort((a, b) => a - b)).toEqual(ids);
  expect(hints[0]).toMatchObject({ at: 1_780_000_000_000, source: '/odoo/prod', model: 'account.move' });
  await again.close();
});

test('who does not know the secret learns nothing', async () => {
  const url = await serve();
  for (const path of [
    `/odoo/prod/${SECRET}x`,
    '/odoo/prod/',
    '/odoo/prod',
    `/odoo/other/${SECRET}`,
    `/odoo/prod/${SECRET}/more`,
    `/odoo/prod/${SECRET}?x=1`,
  ])
    expect(await post(`${url}${path}`, sent(1)), path).toBe(404);
  expect(new Set(outcomes.map(String))).toEqual(new Set(['unknown,']));
  expect(spool.bytes).toBe(0);
});

test('what is no hint is refused and counted, and nothing of it kept', async () => {
  const url = `${await serve()}/odoo/prod/${SECRET}`;
  for (const text of [
    '',
    'no JSON',
    '[]',
    '{}',
    '{"_model":"account.move"}',
    '{"_model":"../x","_id":1}',
    '{"_model":"account.move","_id":-1}',
  ])
    expect(await post(url, text), text).toBe(400);
  expect((await fetch(url)).status).toBe(405);
  expect(await post(url, `{"_model":"account.move","_id":1,"x":"${'y'.repeat(300_000)}"}`)).toBe(413);
  expect(outcomes.filter(([, source]) => source !== '/odoo/prod')).toEqual([]);
  expect(outcomes.at(-1)?.[0]).toBe('too-large');
  expect(spool.bytes).toBe(0);
  expect(await post(url, '{"_model":"account.move","id":7}')).toBe(202);
});

test('a full spool and a disk that fails are told, for the poll finds it', async () => {
  const overloaded = new ClosewatchError('request.overloaded', 'full');
  const fail = async (): Promise<void> => {
    throw outcomes.length === 0 ? overloaded : new Error('ENOSPC');
  };
  const url = `${await serve({ spool: { append: fail } })}/odoo/prod/${SECRET}`;
  const full = await fetch(url, { method: 'POST', body: sent(1) });
  expect([full.status, full.headers.get('retry-after')]).toEqual([503, '30']);
  expect(await post(url, sent(2))).toBe(503);
  expect(outcomes.map(([outcome]) => outcome)).toEqual(['full', 'failed']);
});
