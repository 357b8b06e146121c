import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { connectOdoo, type OdooCall, type OdooSettings } from './client.ts';
import { defaultPace } from './pace.ts';

const SECRET = 'key-0123456789abcdef';
const PACE = { perSecond: 1000, parallel: 8 };

interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}
type Answer =
  | { status?: number; headers?: Record<string, string>; json?: unknown; text?: string }
  | 'silence';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A server that answers as `answer` says, and remembers what it was asked. */
async function serve(
  answer: (asked: Asked, nth: number) => Answer,
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const text = Buffer.concat(pieces).toString();
      const body = text === '' ? undefined : (JSON.parse(text) as unknown);
      const one = { path: request.url ?? '', headers: request.headers, body };
      asked.push(one);
      const given = answer(one, asked.length - 1);
      if (given === 'silence') return;
      const type = given.text === undefined ? 'application/json; charset=utf-8' : 'text/html';
      response.writeHead(given.status ?? 200, { 'content-type': type, ...given.headers });
      response.end(given.text ?? JSON.stringify(given.json));
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const rpc = (result: unknown): Answer => ({ json: { jsonrpc: '2.0', id: 1, result } });
const fault = (name: string, message: string): Answer => ({
  json: {
    jsonrpc: '2.0',
    id: 1,
    error: { code: 200, message: 'Odoo Server Error', data: { name, message, debug: 'Traceback …' } },
  },
});
const version = (text: string): Answer =>
  rpc({
    server_version: text,
    server_version_info: [17, 0, 0, 'final', 0, ''],
    server_serie: text,
    protocol_version: 1,
  });
interface Params {
  readonly service: string;
  readonly method: string;
  readonly args: readonly unknown[];
}
const params = ({ body }: Asked): Params => (body as { params: Params }).params;

/** An Odoo of version 17 with one database and one user, of which `object` answers the calls. */
const odoo17 =
  (object: (method: Params, nth: number) => Answer) =>
  (asked: Asked, nth: number): Answer => {
    const called = params(asked);
    if (called.method === 'version') return version('17.0');
    if (called.service === 'db') return rpc(['acme']);
    if (called.method === 'authenticate') return rpc(called.args[2] === SECRET ? 7 : false);
    return object(called, nth);
  };

const connect = (url: string, over: Partial<OdooSettings> = {}, calls: OdooCall[] = []) =>
  connectOdoo(
    { url, login: 'reader', secret: SECRET, pace: PACE, ...over },
    { onCall: (call) => calls.push(call) },
  );

describe('an Odoo before 19', () => {
  test('is asked by /jsonrpc with the database that it has, and the method by names', async () => {
    const { url, asked } = await serve(odoo17(() => rpc([{ id: 1, name: 'BILL/1', partner_id: 5 }])));
    const calls: OdooCall[] = [];
    const odoo = await connect(`${url}/`, {}, calls);
    expect(odoo).toMatchObject({
      protocol: 'jsonrpc',
      uid: 7,
      database: 'acme',
      version: { series: '17.0', major: 17, isEnterprise: false },
    });
    const rows = await odoo.read('account.move', [1], ['name', 'partner_id'], { context: { lang: 'de_DE' } });
    expect(rows).toEqual([{ id: 1, name: 'BILL/1', partner_id: 5 }]);
    expect(params(asked.at(-1) as Asked)).toEqual({
      service: 'object',
      method: 'execute_kw',
      args: [
        'acme',
        7,
        SECRET,
        'account.move',
        'read',
        [[1]],
        { fields: ['name', 'partner_id'], load: null, context: { lang: 'de_DE' } },
      ],
    });
    expect(calls).toEqual([
      { protocol: 'jsonrpc', model: 'account.move', method: 'read', ms: expect.any(Number), outcome: 'ok' },
    ]);
    expect(await odoo.read('account.move', [], ['name'])).toEqual([]);
  });

  test('a wrong secret, no login, several databases', async () => {
    const { url } = await serve(odoo17(() => rpc(null)));
    await expect(connect(url, { secret: 'wrong-secret' })).rejects.toMatchObject({
      code: 'odoo.credentials',
      message: expect.not.stringContaining('wrong-secret'),
    });
    await expect(connect(url, { login: undefined })).rejects.toMatchObject({ code: 'odoo.credentials' });
    server?.close();
    const many = await serve((asked) => (params(asked).service === 'db' ? rpc(['a', 'b']) : version('17.0')));
    await expect(connect(many.url)).rejects.toMatchObject({
      code: 'odoo.database',
      message: expect.stringContaining('a, b'),
    });
  });

  test('a method that returns nothing, and a model that there is not', async () => {
    const { url } = await serve(
      odoo17(({ args }) =>
        args[4] === 'fields_get'
          ? fault('odoo.exceptions.UserError', "Object no.such doesn't exist")
          : { json: { jsonrpc: '2.0', id: 1 } },
      ),
    );
    const odoo = await connect(url);
    expect(await odoo.call('mail.thread', 'notify')).toBeNull();
    expect(await odoo.fieldsGet('no.such')).toBeUndefined();
  });
});

describe('an Odoo of 19', () => {
  const answer =
    (own: (asked: Asked) => Answer) =>
    (asked: Asked): Answer => {
      if (asked.path === '/jsonrpc') return version('19.0');
      if (asked.path.endsWith('/context_get')) return { json: { lang: 'en_US', tz: 'UTC', uid: 9 } };
      return own(asked);
    };

  test('is asked by /json/2 with the key as bearer and bare answers', async () => {
    const { url, asked } = await serve(answer(() => ({ json: [{ id: 3, state: 'posted' }] })));
    const odoo = await connect(url, { login: undefined, database: 'acme' });
    expect(odoo).toMatchObject({ protocol: 'json2', uid: 9, version: { major: 19 } });
    const search = { domain: [['id', '>', 0]], fields: ['state'], order: 'id', limit: 2 } as const;
    expect(await odoo.searchRead('account.move', search)).toEqual([{ id: 3, state: 'posted' }]);
    expect(asked.at(-1)).toMatchObject({
      path: '/json/2/account.move/search_read',
      headers: { authorization: `bearer ${SECRET}`, 'x-odoo-database': 'acme' },
      body: { domain: [['id', '>', 0]], fields: ['state'], order: 'id', limit: 2, load: null },
    });
  });

  test('with a password goes by /jsonrpc', async () => {
    const { url } = await serve((asked) => {
      if (asked.path !== '/jsonrpc')
        return { status: 401, json: { name: 'werkzeug.exceptions.Unauthorized', message: 'Invalid apikey' } };
      const { method } = params(asked);
      return method === 'version' ? version('19.0') : rpc(method === 'authenticate' ? 2 : []);
    });
    expect(await connect(url, { database: 'acme' })).toMatchObject({ protocol: 'jsonrpc', uid: 2 });
    await expect(connect(url, { login: undefined })).rejects.toMatchObject({ code: 'odoo.credentials' });
  });

  test('without /jsonrpc tells its version elsewhere', async () => {
    const { url } = await serve((asked) => {
      if (asked.path === '/jsonrpc') return { status: 404, text: '<h1>Not Found</h1>' };
      if (asked.path === '/web/version')
        return { json: { version: 'saas~22.1+e', version_info: [22, 1, 0, 'final', 0, 'e'] } };
      return { json: { uid: 4 } };
    });
    expect((await connect(url)).version).toEqual({
      series: 'saas~22.1',
      major: 22,
      text: 'saas~22.1+e',
      isEnterprise: true,
    });
  });
});

describe('what goes wrong on the way', () => {
  test('reading is tried again when Odoo is busy; writing is not', async () => {
    let reads = 0;
    const busy = { status: 503, headers: { 'retry-after': '0' }, text: 'busy' };
    const { url, asked } = await serve(
      odoo17(({ args }) => (args[4] === 'write' || reads++ === 0 ? busy : rpc(12))),
    );
    const calls: OdooCall[] = [];
    const odoo = await connect(url, {}, calls);
    expect(await odoo.searchCount('account.move', [])).toBe(12);
    const before = asked.length;
    const write = odoo.call('account.move', 'write', { ids: [1], vals: {} });
    await expect(write).rejects.toMatchObject({ code: 'odoo.busy', retryable: true });
    expect(asked.length - before).toBe(1);
    expect(calls.map(({ outcome }) => outcome)).toEqual(['odoo.busy', 'ok', 'odoo.busy']);
  });

  test.each([
    [
      { status: 303, headers: { location: '/web/login?redirect=secret' }, text: '' },
      'odoo.protocol',
      /login/,
    ],
    [{ text: '<html>welcome</html>' }, 'odoo.protocol', /200 with text\/html/],
    [{ text: 'x'.repeat(3000) }, 'odoo.too-large', /larger than 2000 bytes/],
    ['silence', 'odoo.timeout', /within 200 ms/],
    [fault('odoo.exceptions.AccessError', 'Not for you'), 'odoo.access', /Not for you/],
    [fault('some.new.Error', `${'y'.repeat(1500)}\nTraceback`), 'odoo.failed', /y{500}$/],
  ] as [Answer, string, RegExp][])('%j', async (given, code, message) => {
    const { url } = await serve(odoo17(() => given));
    const odoo = await connect(url, { timeoutMs: 200, maxBytes: 2000 });
    const failure = odoo.call('account.move', 'write', { ids: [1] });
    await expect(failure).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(failure).rejects.toMatchObject({ message: expect.not.stringContaining('redirect=') });
  });

  test('nobody there', async () => {
    await expect(connect('http://127.0.0.1:9', { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'odoo.unreachable',
    });
  }, 30_000);

  test('calls begin at the pace that was set, Odoo Online’s being the slowest', async () => {
    const { url } = await serve(odoo17(() => rpc(1)));
    const odoo = await connect(url, { pace: { perSecond: 4, parallel: 1 } });
    const started = performance.now();
    await Promise.all(Array.from({ length: 8 }, () => odoo.searchCount('res.company', [])));
    expect(performance.now() - started).toBeGreaterThan(900);
    expect(defaultPace('https://acme.odoo.com')).toEqual({ perSecond: 1, parallel: 1 });
    expect(defaultPace('https://odoo.acme.example')).toEqual({ perSecond: 5, parallel: 2 });
  });
});
