import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { post } from '../testing/http.ts';
import { bodiesOf, type TemporaryEngine, temporaryEngine } from '../testing/temporary.ts';
import { EngineError } from './errors.ts';
import { tokens } from './lexer.ts';
import { FIXED } from './settings.ts';

/** Bytes of strangers are rows, whatever they hold; and no answer ever holds the bytes of another one. */
let engine: TemporaryEngine;
const run = async (sql: string, search: Record<string, string> = {}) => await post(engine, search, sql);
const value = async (sql: string) => (await run(sql)).text.trim();

const HOSTILE = [
  'x\n\nDROP TABLE victim',
  '\n\n',
  '\n\nDROP TABLE victim;\n\n',
  "'); DROP TABLE victim; --",
  '";DROP TABLE victim;"',
  '\r\n\r\nDROP TABLE victim\r\n',
  'INSERT INTO victim VALUES (1)\n\n',
  "\n\nINSERT INTO victim FROM INFILE '/etc/passwd' FORMAT LineAsString",
  '\\\n\n\\N\t;',
  '$$\n\n;$$',
  '\u00e9\n\n\u2028;',
];

beforeAll(async () => {
  engine = await temporaryEngine();
  await run('CREATE TABLE victim (a UInt8) ENGINE = MergeTree ORDER BY a');
  await run('CREATE TABLE fields (a Dynamic, b String) ENGINE = Memory');
  await run('CREATE TABLE rows (id UInt64, s String) ENGINE = MergeTree ORDER BY id');
});
afterAll(async () => await engine.remove());

const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >> 7)]);
const text = (s: string): Buffer => {
  const bytes = Buffer.from(s);
  return Buffer.concat([Buffer.from(varint(bytes.length)), bytes]);
};
const u64 = (n: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(n));
  return bytes;
};
const csv = (s: string) => `"${s.replaceAll('"', '""')}"`;
const tsv = (s: string) => s.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');

/** Each format's bytes for the hostile texts; 0x0A0A is in the numbers too, where a format is binary. */
const ENCODERS: Record<string, (rows: [number, string][]) => Buffer> = {
  CSV: (rows) => Buffer.from(rows.map(([id, s]) => `${id},${csv(s)}\n`).join('')),
  TabSeparated: (rows) => Buffer.from(rows.map(([id, s]) => `${id}\t${tsv(s)}\n`).join('')),
  JSONEachRow: (rows) => Buffer.from(rows.map(([id, s]) => JSON.stringify({ id, s })).join('\n\n')),
  Values: (rows) =>
    Buffer.from(
      rows.map(([id, s]) => `(${id}, '${s.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}')`).join(',\n\n'),
    ),
  RowBinary: (rows) => Buffer.concat(rows.flatMap(([id, s]) => [u64(id), text(s)])),
  Native: (rows) =>
    Buffer.concat([
      Buffer.from([2, ...varint(rows.length)]),
      ...[text('id'), text('UInt64'), ...rows.map(([id]) => u64(id))],
      ...[text('s'), text('String'), ...rows.map(([, s]) => text(s))],
    ]),
};

describe.each(Object.keys(ENCODERS))('hostile rows as %s', (format) => {
  const rows = HOSTILE.map((s, i): [number, string] => [0x0a0a_0a00 + i, s]);
  const body = ENCODERS[format]!(rows);
  const stored = async () => {
    const read = await run('SELECT id, s FROM rows ORDER BY id', { default_format: 'JSONCompactEachRow' });
    return read.text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as [number, string])
      .map(([id, s]) => [Number(id), s]);
  };

  test.each([
    ['query in the URL', { query: `INSERT INTO rows FORMAT ${format}` }, body, {}],
    ['all in the body', {}, Buffer.concat([Buffer.from(`INSERT INTO rows FORMAT ${format}\n`), body]), {}],
    [
      'zipped',
      { query: `INSERT INTO rows FORMAT ${format}` },
      gzipSync(body),
      { 'Content-Encoding': 'gzip' },
    ],
  ])('%s', async (_, search, bytes, headers) => {
    await run('TRUNCATE TABLE rows');
    const answer = await post(engine, search, bytes, { headers });
    expect(answer.text).toBe('');
    expect(await stored()).toEqual(rows);
    expect(await value('EXISTS TABLE victim')).toBe('1');
    expect(await value('SELECT count() FROM victim')).toBe('0');
  });
});

test('raw bytes that are no rows at all are refused, and nothing of them is run', async () => {
  const bodies = HOSTILE.flatMap((s) => [s, `1,x\n${s}\n\nDROP TABLE victim\n`, `{"id":1}\n\n${s}`]);
  for (const format of [
    'CSV',
    'TabSeparated',
    'JSONEachRow',
    'Values',
    'RowBinary',
    'Native',
    'Parquet',
    'Arrow',
  ]) {
    for (const body of bodies) {
      await post(engine, { query: `INSERT INTO rows FORMAT ${format}` }, body);
      await post(engine, {}, `INSERT INTO rows FORMAT ${format}\n${body}`);
    }
  }
  expect(await value('EXISTS TABLE victim')).toBe('1');
  expect(await value('SELECT count() FROM victim')).toBe('0');
});

describe('what SQL cannot reach', () => {
  const LONG = 'a'.repeat(200);
  /** A call of `file` inside of a text. */
  const FILE = "file(\\'/etc/hostname\\')";
  test.each([
    ["SELECT * FROM file('/etc/passwd', 'LineAsString')", '497'],
    ["INSERT INTO FUNCTION file('/tmp/x', 'CSV', 'a UInt8') SELECT 1", '497'],
    ["SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", '497'],
    ["SELECT * FROM remote('127.0.0.1', 'system.one')", '497'],
    ["SELECT * FROM s3('http://127.0.0.1:1/bucket/key', 'CSV')", '497'],
    ["SELECT * FROM postgresql('127.0.0.1', 'a', 'b', 'c', 'd')", '497'],
    ["CREATE TABLE f (a String) ENGINE = File(CSV, '/etc/hostname')", '497'],
    ["CREATE TABLE f (a String) ENGINE = URL('http://127.0.0.1:1/', 'CSV')", '497'],
    ["CREATE TABLE f (a String) ENGINE = Executable('x', 'CSV')", '497'],
    [
      "CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(FILE(PATH '/etc/passwd' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
      '497',
    ],
    ["SELECT file('/etc/hostname')", '497'],
    ["SELECT `file`('/etc/hostname')", '497'],
    ['SELECT "file"(\'/etc/hostname\')', '497'],
    ["SELECT `\\x66ile`('/etc/hostname')", '497'],
    ["SELECT \u201cfile\u201d('/etc/hostname')", '62'],
    ["SELECT 1,\u00a0file('/etc/hostname')", '62'],
    ["SELECT\u00a01 INTO\u00a0OUTFILE '/tmp/x'", '62'],
    ["INSERT\u00a0INTO victim FROM\u00a0INFILE '/etc/passwd' FORMAT CSV", '62'],
    ['INSERT\u00a0INTO victim VALUES (1)', '62'],
    ["CREATE\u00a0TABLE r (a UInt64) ENGINE = EmbeddedRocksDB(0, '/tmp/x') PRIMARY KEY a", '62'],
    [`SELECT $${LONG}$ ' $${LONG}$, file('/etc/hostname'), 'x'`, '497'],
    ["SELECT 1 /* /* */ ' */, file('/etc/hostname') -- '", '497'],
    ["SELECT 1+.5e3INTO OUTFILE '/tmp/x'", '62'],
    [`SELECT * FROM format(JSONEachRow, 'a String, b String DEFAULT ${FILE}', '{"a":1}')`, '497'],
    [`SELECT * FROM format('Values', 'a String', '(${FILE})')`, '497'],
    [`SELECT * FROM "format"('{' = '' ? 'x' : 'Values', 'a String', '(${FILE})')`, '497'],
    [`SELECT a, b FROM generateRandom('a String, b String ALIAS ${FILE}') LIMIT 1`, '497'],
    [`SELECT a, b FROM values('a String, b String ALIAS ${FILE}', 'x')`, '497'],
    [`SELECT a, b FROM values('a String, b String \\x41LIAS ${FILE}', 'x')`, '497'],
    [`SELECT a, b FROM values($$a String, b String ALIAS file('/etc/hostname')$$, 'x')`, '497'],
    ["SELECT * FROM icebergLocal('/tmp')", '497'],
    ["INSERT INTO fields VALUES ([ /* ], file('/etc/hostname')), ('*/', 'x')", '497'],
    ["INSERT INTO fields VALUES ([ -- ], file('/etc/hostname')), (1, 'x')", '497'],
    ["INSERT INTO fields VALUES ([ \" ], file('/etc/hostname')), ('\"', 'x')", '497'],
    ["INSERT INTO fields VALUES ([ $$ ], file('/etc/hostname')), ('$$', 'x')", '497'],
    [`SELECT 1 SETTINGS additional_result_filter = 'throwIf(1, ${FILE}) = 0'`, '452'],
    [
      `SELECT * FROM system.one SETTINGS additional_table_filters = {'system.one': 'throwIf(1, ${FILE}) = 0'}`,
      '452',
    ],
    ["SELECT 1 SETTINGS schema_inference_hints = 'a String'", '452'],
    ["SELECT 1 SETTINGS input_format_record_errors_file_path = '/tmp/x'", '452'],
    ["SELECT file /* x */ ('/etc/hostname')", '497'],
    ["SELECT * APPLY(file) FROM (SELECT '/etc/hostname')", '497'],
    ["SELECT * APPLY file FROM (SELECT '/etc/hostname')", '497'],
    ['CREATE FUNCTION g AS (x) -> file(x)', '497'],
    ["INSERT INTO victim VALUES (length(file('/etc/hostname')))", '497'],
    ["INSERT INTO victim SELECT length(file('/etc/hostname'))", '497'],
    ["SELECT * FROM filesystem('/etc')", '497'],
    ['SELECT * FROM default.`/etc/hostname`', '60'],
    ['DESCRIBE TABLE default.`/etc/hostname`', '60'],
    ['TRUNCATE TABLE default.`/etc/hostname`', '60'],
    ["CREATE DATABASE o ENGINE = Overlay('default')", '497'],
    ["CREATE DATABASE d ENGINE = Filesystem('/etc')", '497'],
    ["CREATE TABLE r (a UInt64) ENGINE = EmbeddedRocksDB(0, '/tmp/closewatch-rocks') PRIMARY KEY a", '497'],
    [
      "CREATE TABLE d (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'web', endpoint = 'http://127.0.0.1:1/')",
      '497',
    ],
    ["SELECT 1 SETTINGS dialect = 'prql'", '452'],
    ["SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/passwd'", '452'],
    ["SELECT 1 SETTINGS format_avro_schema_registry_url = 'http://127.0.0.1:1/'", '452'],
    ["SELECT * FROM eval('SELECT 1')", '497'],
    ["SELECT * FROM executable('id', 'TSV', 'a String')", '497'],
    ["SELECT 1 INTO OUTFILE '/tmp/x'", '48'],
    ["INSERT INTO victim FROM INFILE '/etc/passwd' FORMAT LineAsString", '48'],
    ["BACKUP TABLE victim TO File('/tmp/x')", '62'],
    ["ATTACH TABLE x FROM '/tmp/x' (a UInt8) ENGINE = MergeTree ORDER BY a", '62'],
    ['DETACH DATABASE default', '62'],
    ['DROP DATABASE default', '497'],
    ['DROP DATABASE `default` SYNC', '497'],
    ['DROP DATABASE system', '497'],
    ['DROP TABLE system.processes', '497'],
    ['RENAME TABLE system.settings TO settings', '497'],
    ["CREATE TABLE r (a UInt64) ENGINE == EmbeddedRocksDB(0, '/tmp/closewatch-rocks') PRIMARY KEY a", '497'],
    ["CREATE TABLE l (a String) ENGINE == FileLog('/tmp/x', 'CSV')", '497'],
    ['CREATE VIEW v AS SELECT arrayMap({f:Identifier}, [1])', '497'],
    ["SELECT * FROM viewExplain('EXPLAIN TABLE OVERRIDE', '', (SELECT 1))", '497'],
    [`SELECT * FROM format('JSONEachR\\x7{w', 'a String, b String DEFAULT ${FILE}', '{"a":1}')`, '497'],
    [`SELECT b FROM values(('a String, b String ALIAS ${FILE}'), 'x')`, '497'],
    [`WITH 'a String, b String ALIAS ${FILE}' AS s SELECT b FROM values(s, 'x')`, '497'],
    ["SELECT 1 AS a FORMAT Protobuf SETTINGS output_format_schema = '/tmp/x'", '452'],
    ['SYSTEM SHUTDOWN', '497'],
    ['SYSTEM KILL', '497'],
    ["CREATE USER u IDENTIFIED BY 'x'", '497'],
    ['GRANT ALL ON *.* TO default', '62'],
    ["SELECT demangle('x')", '497'],
  ])('%s', async (sql, code) => {
    const answer = await run(sql);
    expect(answer.headers.get('x-clickhouse-exception-code'), answer.text).toBe(code);
  });

  test('a parameter or a dialect is no way round', async () => {
    const code = async (sql: string, search: Record<string, string>) =>
      (await run(sql, search)).headers.get('x-clickhouse-exception-code');
    for (const param_f of ['file', 'FILE ', '\\x66ile']) {
      expect(await code("SELECT {f:Identifier}('/etc/hostname')", { param_f })).toBe('497');
      expect(await code("SELECT arrayMap({f : Identifier}, ['/etc/hostname'])", { param_f })).toBe('497');
    }
    const rows = "VALUES (length(arrayMap({f:Identifier}, ['/etc/hostname'])[1]))";
    expect(await code(`INSERT INTO victim ${rows}`, { param_f: 'file' })).toBe('497');
    expect(await code(`INSERT INTO victim ${rows}`, {})).toBe('456');
    expect(await code('DROP DATABASE {d:Identifier}', { param_d: 'default' })).toBe('497');
    expect((await run('SELECT {s:String}', { param_s: 'file' })).text).toBe('file\n');
    expect(await code("SELECT * FROM values({s:String}, 'x')", { param_s: 'a String' })).toBe('497');
    expect(await code('SELECT 1', { additional_result_filter: '1' })).toBe('452');
    expect(await code("SELECT * FROM '/etc/hostname'", { database: 'default' })).toBe('60');
    const dialect = await run('SELECT 1', { dialect: 'kusto' });
    expect(dialect.headers.get('x-clickhouse-exception-code')).toBe('452');
    const session = { session_id: 's' };
    expect((await run('SELECT 1', { ...session, param_f: 'file' })).text).toBe('1\n');
    expect(await code("SELECT arrayMap({f:Identifier}, ['/etc/hostname'])", session)).toBe('456');
    expect(await code('SELECT {f:String}', session)).toBe('456');
    expect(await code("SET param_f = 'file'", session)).toBe('497');
    expect((await run("SET dialect = 'prql'", session)).headers.get('x-clickhouse-exception-code')).toBe(
      '452',
    );
  });

  test('what only looks like it works', async () => {
    expect(await value("SELECT format('{} {}', 'a', 'b')")).toBe('a b');
    const columns = "'a Enum8(\\'x\\' = 1), b DateTime(\\'UTC\\')'";
    expect(await value(`SELECT a FROM values(${columns}, ('x', 0))`)).toBe('x');
    expect(await value('SELECT sum(c1) FROM values(1, 2)')).toBe('3');
    const quoted = "$$\u00e9$$, /* \u00e9 */ '\u00e9', `\u00e9`";
    expect(await value(`SELECT ${quoted} FROM (SELECT 1 AS \`\u00e9\`) -- \u00e9`)).toBe('\u00e9\t\u00e9\t1');
  });

  test('readonly requests cannot write', async () => {
    expect(
      (await run('DROP TABLE victim', { readonly: '1' })).headers.get('x-clickhouse-exception-code'),
    ).toBe('164');
    for (const readonly of [
      {},
      { readonly: '0' },
      { readonly: '1' },
      { readonly: '2' },
      { readonly: 'false' },
    ]) {
      const user = { user: engine.username, password: engine.password };
      const search = new URLSearchParams({ query: 'DROP TABLE victim', ...user, ...readonly });
      const answer = await fetch(`${engine.url}/?${search}`);
      expect(answer.headers.get('x-clickhouse-exception-code')).toBe('164');
      const session = await fetch(`${engine.url}/?${search}&session_id=get`);
      expect(session.headers.get('x-clickhouse-exception-code')).toBe('164');
    }
    expect(await value('EXISTS TABLE victim')).toBe('1');
  });
});

test('no setting names a file, an address or SQL but those that are constant', async () => {
  /** Looked at one by one: names of things inside of the store, sizes, switches, or for sources that grants refuse. */
  const HARMLESS = [
    ...['s3queue_default_zookeeper_path', 'filesystem_cache_name', 'distributed_cache_file_cache_name'],
    ...['local_filesystem_read_method', 'remote_filesystem_read_method', 'temporary_files_codec'],
    ...['format_schema_message_name', 'column_names_for_schema_inference', 'trace_profile_events_list'],
  ];
  const name =
    "match(name, 'path|file|schema|url|uri|dictionary|disk|dialect|filter|hint|template_(row|resultset)$')";
  const list = await value(
    `SELECT name FROM system.settings WHERE type IN ('String', 'URI', 'Map', 'Dialect') AND ${name}`,
  );
  const names = list.split('\n').filter((setting) => !HARMLESS.includes(setting));
  expect(names.filter((setting) => !FIXED.includes(setting))).toEqual([]);
  const fixed = FIXED.map((setting) => `'${setting}'`).join(', ');
  const changeable = `SELECT name FROM system.settings WHERE name IN (${fixed}) AND NOT readonly`;
  expect(await value(changeable)).toBe('');
});

describe('our lexer and ClickHouse’s', () => {
  const PIECES = [
    ...[
      'a',
      'B1',
      '_',
      '$',
      '$a$',
      '$$',
      '1',
      '1.5',
      '.5e3',
      '.5e+3',
      '0x1F',
      '1e-5',
      '12_3',
      'INTO',
      '.',
      ',',
      ';',
    ],
    ...['(', ')', '[', ']', '{', '}', '+', '-', '--', '->', '/', '//', '/*', '*/', '*', '#', '# ', '#!', '!'],
    ...["'", '"', '`', '\\', "''", "\\'", ' ', '\n', '\r', '\t', '\v', '\f', '\x1c'],
    ...['\u00a0', '\u2003', '\u3000', '\ufeff', '\u2212', '\u2018', '\u201d', '\u0085', '\u00e9'],
  ];
  const soup = fc
    .array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 25 })
    .map((parts) => parts.join(''));

  /**
   * ClickHouse's tokens that matter, as begin-end; undefined when it finds an error. A word that begins with a digit, such
   * as `5e3INTO` behind a dot, may be two for us.
   */
  async function theirs(texts: readonly string[]): Promise<(string[] | undefined)[]> {
    const list = texts.map((sql) => `unhex('${Buffer.from(sql).toString('hex')}')`).join(', ');
    const answer = await run(`SELECT tokenizeQuery(arrayJoin([${list}])) AS t`, {
      default_format: 'JSONCompactEachRow',
    });
    const lines = answer.text.split('\n').filter(Boolean);
    return lines.map((line, i) => {
      const [all] = JSON.parse(line) as [{ begin: number; end: number; type: string }[]];
      if (all.some(({ type }) => type.startsWith('Error'))) return undefined;
      const bytes = Buffer.from(texts[i]!);
      return all
        .filter(({ type }) => /^(BareWord|QuotedIdentifier|StringLiteral|HereDoc|Semicolon)$/.test(type))
        .filter(({ begin }) => !/[0-9]/.test(String.fromCharCode(bytes[begin]!)))
        .map(({ begin, end }) => `${begin}-${end}`);
    });
  }

  function ours(sql: string): Set<string> | undefined {
    try {
      return new Set(
        [...tokens(Buffer.from(sql).toString('latin1'))].map(({ start, end }) => `${start}-${end}`),
      );
    } catch (error) {
      if (error instanceof EngineError) return undefined;
      throw error;
    }
  }

  test('find the same words and texts, or ours refuses', async () => {
    // Another seed looks at other texts: CLOSEWATCH_TEST_SEED.
    const seed = Number(process.env.CLOSEWATCH_TEST_SEED ?? 20260501);
    const texts = fc.sample(soup, { numRuns: 10_000, seed });
    const found: (string[] | undefined)[] = [];
    for (let at = 0; at < texts.length; at += 1000) found.push(...(await theirs(texts.slice(at, at + 1000))));
    expect(found).toHaveLength(texts.length);
    const differences = texts.filter((sql, i) => {
      const mine = ours(sql);
      return mine && found[i] && !found[i].every((range) => mine.has(range));
    });
    expect(differences).toEqual([]);
    expect(found.filter(Boolean).length).toBeGreaterThan(1000);
  });

  test('no blank of any kind between two words hides what is refused', async () => {
    const blanks = [
      '\u00a0',
      '\u2003',
      '\u3000',
      '\ufeff',
      '\u2212',
      '\v',
      '\f',
      '\0',
      '\x1c',
      '\u0085',
      '/**/',
      '/*/**/*/',
      '--\n',
    ];
    for (const blank of blanks) {
      for (const statement of [
        `SELECT 1,~file('/etc/hostname')`,
        `SELECT~1~INTO~OUTFILE~'/tmp/x'`,
        `INSERT~INTO~victim~FROM~INFILE~'/etc/passwd'~FORMAT~CSV`,
      ]) {
        const answer = await run(statement.replaceAll('~', blank));
        expect(['48', '62', '497'], JSON.stringify([statement, blank, answer.text])).toContain(
          answer.headers.get('x-clickhouse-exception-code'),
        );
      }
    }
  });
});

test('failed, aborted and parallel queries never share a byte', async () => {
  const one = async (i: number) => {
    const mark = `m${i}m`;
    const kind = i % 5;
    if (kind === 0) {
      const rows = (await run(`SELECT '${mark}' FROM numbers(${1000 + i * 37}) FORMAT TSV`)).text
        .split('\n')
        .slice(0, -1);
      expect(rows.length).toBe(1000 + i * 37);
      expect(new Set(rows)).toEqual(new Set([mark]));
    } else if (kind === 1) {
      const answer = await run(
        `SELECT '${mark}', throwIf(number = 60000) FROM numbers(100000) FORMAT JSONEachRow`,
        {
          max_block_size: '1000',
        },
      );
      const rows = answer.text.split('\n').filter((line) => line.startsWith('{'));
      expect(rows.every((line) => line.includes(mark))).toBe(true);
      expect(answer.text).toContain('Code: 395');
    } else if (kind === 2) {
      const stop = AbortSignal.timeout(5 + (i % 40));
      const slow = `SELECT '${mark}', sleepEachRow(0.01) FROM numbers(10000) FORMAT CSV`;
      await post(engine, { max_block_size: '10' }, slow, { signal: stop }).catch(() => undefined);
    } else if (kind === 3) {
      const answer = await run(`SELECT '${mark}' AS m, number FROM numbers(${i}) FORMAT JSON`);
      const parsed = JSON.parse(answer.text) as { rows: number; data: { m: string }[] };
      expect(parsed.rows).toBe(i);
      expect(parsed.data.every((row) => row.m === mark)).toBe(true);
    } else {
      const answer = await run(`SELECT ${mark}`);
      expect(answer.status).toBe(404);
      expect(answer.text).toContain(`\`${mark}\``);
    }
  };
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 60 }, (_, i) => one(round * 60 + i)));
  }
  await expect
    .poll(() => value("SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow%'"), {
      timeout: 30_000,
    })
    .toBe('1');
});

test('a form holds one query and its parameters, and nothing else', async () => {
  const send = async (fields: Record<string, string | Blob>) => {
    const form = new FormData();
    for (const [name, field] of Object.entries(fields)) form.append(name, field);
    const { headers, text: answer } = await post(engine, {}, '', { body: form });
    return headers.get('X-ClickHouse-Exception-Code') ?? answer.trim();
  };
  for (const s of HOSTILE) {
    const asked = { query: 'SELECT hex({s:String})', param_s: tsv(s) };
    // A form's own line ends are CR LF; whoever builds it (here fetch) writes bare ones so.
    const sent = s.replace(/\r\n?|\n/g, '\n');
    if (sent === s) expect(await send(asked)).toBe(Buffer.from(s).toString('hex').toUpperCase());
  }
  expect(await send({ query: 'SELECT 1; DROP TABLE victim' })).toBe('62');
  expect(await send({ query: 'SELECT 1', rows: new Blob(['1\n']) })).toBe('48');
  expect(await send({ query: 'SELECT 1', max_threads: '1' })).toBe('48');
  expect(await send({ query: 'SELECT 1', 'param_a b': '1' })).toBe('36');
  expect(await send({ query: 'SELECT 1', param_s: 'x'.repeat(17 * 1024 * 1024) })).toBe('307');
  const headers = { 'Content-Type': 'multipart/form-data; boundary=no' };
  const broken = await post(engine, {}, '--yes\r\nDROP TABLE victim', { headers });
  expect(broken.headers.get('X-ClickHouse-Exception-Code')).toBe('36');
  expect(await value('EXISTS victim')).toBe('1');
});

test('a body that ends early is not inserted', async () => {
  await run('TRUNCATE TABLE rows');
  const stop = new AbortController();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(Buffer.from('1,a\n2,b\n'));
      setTimeout(() => stop.abort(), 100);
    },
  });
  const init = { body, duplex: 'half', signal: stop.signal } as RequestInit;
  const sent = post(engine, { query: 'INSERT INTO rows FORMAT CSV' }, '', init);
  await expect(sent).rejects.toThrow();
  // The engine learns that a sender has left, and removes what it sent, a moment after the sender itself.
  await expect.poll(() => bodiesOf(engine.dataDir), { timeout: 30_000 }).toEqual([]);
  expect(await value('SELECT count() FROM rows')).toBe('0');
});

test('no private file is left behind', async () => {
  await expect.poll(() => bodiesOf(engine.dataDir), { timeout: 30_000 }).toEqual([]);
});
