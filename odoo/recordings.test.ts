import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { fixtures } from '../test/harness.ts';
import { OdooError } from './errors.ts';
import { json2Result } from './json2.ts';
import { jsonRpcResult } from './jsonrpc.ts';
import type { Reply } from './reply.ts';

/** What real servers answered, one file a call. */
const recording = z.object({
  request: z.object({ url: z.string() }),
  response: z.object({
    status: z.int(),
    headers: z.array(z.tuple([z.string(), z.string()])),
    json: z.unknown().optional(),
    text: z.string().optional(),
  }),
});

interface Recorded {
  readonly file: string;
  readonly path: string;
  readonly reply: Reply;
  readonly json: unknown;
}

function recordings(server: string): Recorded[] {
  const folder = join(fixtures ?? '', 'odoo', server);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .flatMap((file) => {
      const parsed = recording.safeParse(JSON.parse(readFileSync(join(folder, file), 'utf8')));
      if (!parsed.success) return [];
      const { request, response } = parsed.data;
      const headers = new Map(response.headers.map(([name, value]) => [name.toLowerCase(), value]));
      const body = response.json === undefined ? (response.text ?? '') : JSON.stringify(response.json);
      const { pathname } = new URL(request.url);
      return [
        { file, path: pathname, reply: { status: response.status, headers, body }, json: response.json },
      ];
    });
}

function outcome(read: () => unknown): { value: unknown } | OdooError {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof OdooError) return error;
    throw error;
  }
}

describe.skipIf(!fixtures)('what real servers answered (skipped without the recordings)', () => {
  for (const server of ['odoo18', 'odoo19']) {
    const all = fixtures ? recordings(server) : [];
    const calls = all.filter(({ path, json }) => path === '/jsonrpc' && json !== undefined);

    test(`every answer of ${server} by /jsonrpc is its result or its fault`, () => {
      expect(calls.length).toBeGreaterThan(300);
      for (const { file, reply, json } of calls) {
        const told = json as { result?: unknown; error?: unknown };
        const found = outcome(() => jsonRpcResult(file, reply));
        if (told.error === undefined && 'jsonrpc' in told)
          expect(found, file).toEqual({ value: told.result ?? null });
        else expect(found, file).toBeInstanceOf(OdooError);
      }
    });

    test(`no error of ${server} holds a traceback, or an address of its database`, () => {
      for (const { file, reply } of calls) {
        const found = outcome(() => jsonRpcResult(file, reply));
        if (!(found instanceof OdooError)) continue;
        expect(found.message, file).not.toMatch(/Traceback|File "|55432|psycopg2|LINE 1/);
        expect(found.message.length, file).toBeLessThan(700);
      }
    });

    const codeOf = (file: string): unknown => {
      const found = all.find((one) => one.file.startsWith(file));
      if (!found) return `no recording ${file}`;
      const read = found.path.startsWith('/json/2') ? json2Result : jsonRpcResult;
      const got = outcome(() => read(file, found.reply));
      return got instanceof OdooError ? got.code : got.value;
    };

    test(`faults of ${server} by their kind`, () => {
      const codes = Object.fromEntries(
        [
          '03-authenticate-bad-password',
          '04-execute-bad-password',
          '05-bad-database',
          'F03-error',
          'G01-error',
          'G10-error',
          'G12-error',
          'G14-error',
          'G15-error',
          'G17-error',
          'G21-error',
          'G40-http',
          'G41-http',
          'G43-http',
          'G45-http',
          'U02-error',
          'P11-jsonrpc',
        ].map((file) => [file.slice(0, 3), codeOf(file)]),
      );
      expect(codes).toEqual({
        '03-': false,
        '04-': 'odoo.credentials',
        '05-': 'odoo.database',
        F03: 'odoo.refused',
        G01: 'odoo.refused',
        G10: 'odoo.call',
        G12: 'odoo.call',
        G14: 'odoo.unsupported',
        G15: 'odoo.access',
        G17: 'odoo.missing',
        G21: 'odoo.refused',
        G40: 'odoo.protocol',
        G41: 'odoo.protocol',
        G43: 'odoo.call',
        G45: 'odoo.protocol',
        U02: 'odoo.access',
        P11: null,
      });
    });

    test(`/json/2 of ${server}`, () => {
      const files = ['J02', 'J03', 'J05', 'J06', 'J07', 'J08', 'J09', 'J10', 'J11', 'J19', 'J20'];
      const codes = Object.fromEntries(files.map((file) => [file, codeOf(file)]));
      if (server === 'odoo18') expect(new Set(Object.values(codes))).toEqual(new Set(['odoo.protocol']));
      else
        expect(codes).toEqual({
          J02: expect.any(Array),
          J03: 'odoo.credentials',
          J05: 'odoo.unsupported',
          J06: 'odoo.unsupported',
          J07: 'odoo.access',
          J08: 'odoo.call',
          J09: 'odoo.call',
          J10: 'odoo.refused',
          J11: 'odoo.missing',
          J19: null,
          J20: 'odoo.protocol',
        });
    });
  }
});
