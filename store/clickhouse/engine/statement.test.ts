import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EngineError } from './errors.ts';
import { type Token, tokens } from './lexer.ts';
import { checkValues, readStatement } from './statement.ts';

const PARAMS = new Map([
  ['t', 'table'],
  ['f', 'file'],
  ['d', 'default'],
]);
const read = (sql: string, complete = true) =>
  readStatement(Buffer.from(sql), complete, 'TabSeparated', PARAMS);
const insert = (sql: string, complete = true) => {
  const statement = read(sql, complete);
  if (statement.kind !== 'insert') throw new Error(`an insert, not ${statement.kind}`);
  return { sql: statement.into('/x'), data: Buffer.from(sql).subarray(statement.dataAt).toString() };
};
const refused = (sql: string, complete = true): number => {
  try {
    read(sql, complete);
  } catch (error) {
    return (error as EngineError).code;
  }
  return 0;
};

describe('an INSERT with data', () => {
  test.each([
    ['INSERT INTO t FORMAT CSV\n1,2', 'INSERT INTO t', '', 'CSV', '1,2'],
    ['insert into t format CSV 1,2', 'insert into t', '', 'CSV', '1,2'],
    ['INSERT INTO t FORMAT CSV\r\n\n1', 'INSERT INTO t', '', 'CSV', '\n1'],
    ['INSERT INTO t VALUES (1), (2)', 'INSERT INTO t', '', 'Values', ' (1), (2)'],
    ['INSERT INTO `values` VALUES(1)', 'INSERT INTO `values`', '', 'Values', '(1)'],
    ['INSERT INTO values VALUES(1)', 'INSERT INTO values', '', 'Values', '(1)'],
    ['INSERT INTO a.b (x, `y z`) FORMAT Native\nB', 'INSERT INTO a.b (x, `y z`)', '', 'Native', 'B'],
    ['INSERT INTO TABLE {t:Identifier} FORMAT TSV\n1', 'INSERT INTO TABLE {t:Identifier}', '', 'TSV', '1'],
    ['INSERT INTO FUNCTION f(1, (2)) FORMAT TSV\n1', 'INSERT INTO FUNCTION f(1, (2))', '', 'TSV', '1'],
    ['/* a; */ INSERT INTO t -- FORMAT X\n FORMAT TSV\n1', '/* a; */ INSERT INTO t', '', 'TSV', '1'],
    [
      "INSERT INTO t SETTINGS a = 1, b='FORMAT CSV' FORMAT TSV\n;DROP TABLE t",
      'INSERT INTO t',
      "SETTINGS a = 1, b='FORMAT CSV'",
      'TSV',
      ';DROP TABLE t',
    ],
    ['INSERT INTO t SETTINGS a = -1 VALUES (1)', 'INSERT INTO t', 'SETTINGS a = -1', 'Values', ' (1)'],
  ])('%j', (sql, head, settings, format, data) => {
    const made = insert(sql);
    const plain = (text: string) => text.replace(/\s+/g, ' ').trim();
    expect(plain(made.sql).replace('-- FORMAT X ', '')).toBe(
      plain(`${head} FROM INFILE '/x' COMPRESSION 'none' ${settings} FORMAT ${format}`),
    );
    expect(made.data).toBe(data);
  });

  test('is found in a URL query before its body is read', () => {
    expect(insert('INSERT INTO t FORMAT JSONEachRow\n', false).data).toBe('');
    expect(insert('INSERT INTO t (a) VALUES\n', false).data).toBe('\n');
  });

  test.each([
    'INSERT INTO t FORM',
    'INSERT INTO t FORMAT CS',
    'INSERT INTO t FORMAT CSV',
    'INSERT INTO t',
    'INS',
  ])('%j may still go on', (sql) => expect(read(sql, false).kind).toBe('unfinished'));

  test('data never becomes part of the statement, whatever it is', () => {
    const heads = [
      'INSERT INTO t FORMAT CSV\n',
      'INSERT INTO t (a, b) FORMAT Native\n',
      'INSERT INTO t VALUES ',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 200 }), (head, bytes) => {
        const all = Buffer.concat([Buffer.from(head), bytes]);
        const statement = readStatement(all, true, 'TSV');
        if (statement.kind !== 'insert') throw new Error('an insert');
        const text = statement.into('/x');
        const alone = readStatement(Buffer.from(head), true, 'TSV');
        expect(alone.kind === 'insert' && text === alone.into('/x')).toBe(true);
        expect(statement.dataAt).toBeLessThanOrEqual(Buffer.from(head).length);
        expect(statement.dataAt).toBeGreaterThanOrEqual(head.trimEnd().length);
      }),
    );
  });
});

describe('what is refused', () => {
  test.each([
    ['SELECT 1; SELECT 2', 62],
    ['SELECT 1;\n\nDROP TABLE t', 62],
    ['INSERT INTO t SELECT 1; DROP TABLE t', 62],
    ['INSERT INTO t', 62],
    ['INSERT INTO t FORMAT CSV;1', 62],
    ['', 62],
    ['-- nothing', 62],
    ['SELECT 1 \0 + 1', 62],
    ['SELECT\u00a01', 62],
    ['SELECT 1 \u2212 1', 62],
    ['\ufeffSELECT 1', 62],
    [`SELECT $${'a'.repeat(200)}$ ' $${'a'.repeat(200)}$, file('x'), 'x'`, 497],
    ["SELECT 1 /* /* */ ' */, file('x') -- '", 497],
    ["SELECT 1+.5e3INTO OUTFILE 'x'", 62],
    ["SELECT * FROM format(Values, 'a String', '1')", 497],
    ["SELECT * FROM values('a String, b String Alias file(1)', 'x')", 497],
    ["SELECT * FROM values((('a String, b String Alias f(1)')), 'x')", 497],
    ["SELECT * FROM values('a String, b String A' || 'lias f(1)', 'x')", 497],
    ["WITH 'a String, b String Alias f(1)' AS s SELECT * FROM values(s, 'x')", 497],
    ["SELECT * FROM values((SELECT 'a String, b String Alias f(1)'), 'x')", 497],
    ["SELECT * FROM format('JSONEachR\\x7{w', 'a String', '1')", 497],
    ["SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))", 497],
    ["SELECT * FROM executable('x', 'TSV', 'a String')", 497],
    ['CREATE TABLE t (a UInt8) ENGINE == File(CSV)', 497],
    ['CREATE TABLE t (a UInt8) ENGINE = = File(CSV)', 497],
    ['CREATE TABLE t (a UInt8) ENGINE File(CSV)', 497],
    ['CREATE TABLE t (a UInt8) ENGINE = {t:Identifier}', 497],
    ['CREATE TABLE t (a UInt8) ENGINE', 497],
    ['CREATE TABLE t (a UInt8) ENGINE = GenerateRandom(1)', 497],
    ['CREATE DATABASE b ENGINE == Filesystem', 497],
    ['CREATE VIEW v AS SELECT arrayMap({t:Identifier}, [1])', 497],
    ['SELECT arrayMap({f:Identifier}, [1])', 497],
    ['SELECT arrayMap({ /* x */ f /* } */ : /* y */ Identifier }, [1])', 497],
    ['SELECT arrayMap({none:Identifier}, [1])', 456],
    ['SELECT {none:String}', 456],
    ['INSERT INTO t ({f:Identifier}) FORMAT CSV\n1', 497],
    ['INSERT INTO {none:Identifier} FORMAT CSV\n1', 456],
    ['DROP DATABASE default', 497],
    ['DROP DATABASE IF EXISTS "default" SYNC', 497],
    ['DROP DATABASE {d:Identifier}', 497],
    ['RENAME DATABASE a TO b, `default` TO c', 497],
    ["ATTACH TABLE t FROM '/x' (a UInt8) ENGINE = Log", 62],
    ['DETACH DATABASE default', 62],
    ["BACKUP TABLE t TO File('x')", 62],
    ['EXECUTE AS u SELECT 1', 62],
    ['1 + 1', 62],
    ["SELECT 1 INTO OUTFILE '/etc/x'", 48],
    ["INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV", 48],
    ["INSERT INTO t FROM/**/infile '/etc/passwd' FORMAT CSV", 48],
    ["WITH a AS (SELECT 1) SELECT * FROM a into outfile 'x'", 48],
    ["INSERT INTO t SELECT * FROM input('a UInt8') FORMAT CSV\n1\n\nDROP TABLE t", 48],
    ['INSERT INTO t SELECT 1 FORMAT Values\n(1)', 48],
    ['CREATE TABLE a (b UInt8) ENGINE = Memory PARALLEL WITH INSERT INTO a VALUES (1)', 48],
  ])('%j', (sql, code) => expect(refused(sql)).toBe(code));

  test('what only looks like it is not', () => {
    expect(refused('SELECT 1;')).toBe(0);
    expect(refused('SELECT 1; -- the end')).toBe(0);
    expect(refused("SELECT ';' AS `;`, $$;$$, /* ; */ 1 -- ;")).toBe(0);
    expect(refused('SELECT outfile, infile FROM t')).toBe(0);
    expect(refused("SELECT 'it''s; \\'; x'")).toBe(0);
    expect(refused('INSERT INTO t SELECT format, input FROM s')).toBe(0);
    expect(refused("SELECT * FROM values(('a', 'default \\x41'), ('b', 'c'))")).toBe(0);
    expect(refused('SELECT * FROM values(1, 2), values([1]), values(-1), values(NULL)')).toBe(0);
    expect(refused('CREATE TABLE t (`engine` String) ENGINE = "Memory"')).toBe(0);
    expect(refused('CREATE VIEW v AS SELECT {x:UInt8} AS x')).toBe(0);
    expect(refused("SELECT {t:Identifier} FROM s SETTINGS http_response_headers = {'a': 'b'}")).toBe(0);
    expect(refused('DROP DATABASE a')).toBe(0);
    expect(refused('DROP TABLE default.t')).toBe(0);
  });
});

describe('the rows of VALUES', () => {
  const code = (rows: string): number => {
    try {
      checkValues(Buffer.from(rows), PARAMS);
    } catch (error) {
      return (error as EngineError).code;
    }
    return 0;
  };
  test.each([
    "(1, 'a -- /* $$ \" ` \u00a0 file(')",
    '(now(), [1, 2]), (1+1, NULL)',
    '({t:String})',
    "(1, 'it''s \\' x');\n",
  ])('%j may stand', (rows) => expect(code(rows)).toBe(0));
  test.each([
    ["(file('x'))", 497],
    ['(1 /* x */)', 497],
    ['(1) -- x', 497],
    ['("a")', 497],
    ['(`a`)', 497],
    ['($$a$$)', 497],
    ['(1,\u00a02)', 62],
    ["(arrayMap({f:Identifier}, ['x'])[1])", 497],
    ["(arrayMap({none:Identifier}, ['x'])[1])", 456],
  ])('%j may not', (rows, expected) => expect(code(rows)).toBe(expected));
});

describe('a result', () => {
  const into = (sql: string) => {
    const statement = read(sql);
    if (statement.kind !== 'rows') throw new Error(`rows, not ${statement.kind}`);
    return `${statement.format}| ${statement.into('/f').replace(/\s+/g, ' ')}`;
  };
  const file = "INTO OUTFILE '/f' TRUNCATE";
  test.each([
    ['SELECT 1', `TabSeparated| SELECT 1 ${file} FORMAT TabSeparated`],
    ['SELECT 1 -- c', `TabSeparated| SELECT 1 ${file} FORMAT TabSeparated`],
    ['SELECT 1 ;', `TabSeparated| SELECT 1 ${file} FORMAT TabSeparated`],
    ['SELECT 1\nFORMAT JSON', `JSON| SELECT 1 ${file} FORMAT JSON`],
    ['SELECT 1 format JSON settings a=1', `JSON| SELECT 1 ${file} format JSON settings a=1`],
    ['SELECT 1 SETTINGS a=1 FORMAT CSV', `CSV| SELECT 1 SETTINGS a=1 ${file} FORMAT CSV`],
    [
      'SELECT format FROM (SELECT 1 AS format)',
      `TabSeparated| SELECT format FROM (SELECT 1 AS format) ${file} FORMAT TabSeparated`,
    ],
    [
      '(SELECT 1) UNION ALL (SELECT 2)',
      `TabSeparated| (SELECT 1) UNION ALL (SELECT 2) ${file} FORMAT TabSeparated`,
    ],
    ['WITH 1 AS x SELECT x', `TabSeparated| WITH 1 AS x SELECT x ${file} FORMAT TabSeparated`],
    ["SELECT 'ü→\n\n'", `TabSeparated| SELECT 'ü→ ' ${file} FORMAT TabSeparated`],
  ])('%j', (sql, made) => expect(into(sql)).toBe(made));

  test.each([
    'CREATE TABLE t (a UInt8) ENGINE = Memory',
    'SYSTEM FLUSH LOGS',
    'KILL QUERY WHERE 1',
    'INSERT INTO t SELECT 1',
    'WITH 1 AS x INSERT INTO t SELECT x',
  ])('%j runs as it is', (sql) => expect(read(sql)).toMatchObject({ kind: 'command', sql }));
});

test('tokens cover the text in order and end, or it is refused', () => {
  /** The tokens up to where the text is refused. */
  function* known(text: string): Generator<Token> {
    try {
      yield* tokens(text);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
  }
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'aB1 \n\t\'"`\\;()[]{}-/*#$.'.split('')), maxLength: 60 }),
      (text) => {
        let at = 0;
        for (const token of known(text)) {
          expect(token.start).toBeGreaterThanOrEqual(at);
          expect(token.end).toBeGreaterThan(token.start);
          expect(text.slice(token.start, token.end)).toBe(token.text);
          at = token.end;
        }
        expect(at).toBeLessThanOrEqual(text.length);
      },
    ),
  );
});

test('texts with many here-documents that never end are read in one go', { timeout: 30_000 }, () => {
  const tags = Array.from({ length: 300_000 }, (_, i) => `$t${i}$`);
  expect([...tokens(tags.join(' '))]).toHaveLength(tags.length);
  expect([...tokens('$a$ $b$ $c$ $b$ $a$ $$ x')].map(({ text }) => text)).toEqual([
    '$a$ $b$ $c$ $b$ $a$',
    '$',
    '$',
    'x',
  ]);
});
