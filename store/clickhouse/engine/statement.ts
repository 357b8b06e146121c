import { EngineError } from './errors.ts';
import { refuseReach, refuseReachInValues } from './guard.ts';
import { type Token, tokens } from './lexer.ts';

/**
 * What one request asks for:
 * - `insert`: rows follow from byte `dataAt` on; `into(path)` is the statement that reads them from a file instead;
 * - `rows`: a result of any size; `into(path)` is the statement that writes it to a file (a FIFO) instead, `sql` as it is;
 * - `command`: anything else, with a small result or none; `sql` runs as it is;
 * - `unfinished`: the text may be the beginning of an INSERT whose data clause is still to come.
 */
export type Statement =
  | {
      readonly kind: 'insert';
      readonly format: string;
      readonly dataAt: number;
      into(path: string): string;
    }
  | { readonly kind: 'rows'; readonly format: string; readonly sql: string; into(path: string): string }
  | { readonly kind: 'command'; readonly format: string; readonly sql: string }
  | { readonly kind: 'unfinished' };

type Params = ReadonlyMap<string, string>;

const WITH_RESULT = new Set([
  'SELECT',
  'WITH',
  'FROM',
  'SHOW',
  'DESCRIBE',
  'DESC',
  'EXPLAIN',
  'EXISTS',
  'CHECK',
  'VALUES',
  '(',
]);
/**
 * Statements that answer little or nothing. Any other first word is refused: ATTACH, for one, would take a folder of the
 * machine for a table's.
 */
const COMMANDS = new Set([
  ...['INSERT', 'CREATE', 'REPLACE', 'ALTER', 'DROP', 'TRUNCATE', 'RENAME', 'EXCHANGE', 'UNDROP'],
  ...['DELETE', 'UPDATE', 'OPTIMIZE', 'SET', 'USE', 'KILL', 'SYSTEM'],
]);
/** Clauses that only ClickHouse's own console client has; a server refuses them, and so do we: they reach files. */
const CLIENT_ONLY = new Set(['INFILE', 'OUTFILE']);
const FORMAT_NAME =
  /^(CSV|TSV|TSKV|TabSeparated|JSON|BSON|RowBinary|Native|Values|Arrow|Parquet|ORC|Avro|Protobuf|Template|Custom|Line|Raw|MsgPack|Regexp|CapnProto|Npy|SQLInsert|Markdown|Vertical|Pretty|XML|Null|One|Form|Hash|Prometheus|DWARF|MySQL|Odbc)/i;

const syntax = (what: string, near: string): EngineError =>
  new EngineError(62, `Syntax error: ${what} near '${near.slice(0, 80)}'.`, 'SYNTAX_ERROR');

const decoder = new TextDecoder('utf-8', { fatal: true });

/** SQL text of bytes `start` to `end` of a Latin-1 string. Throws on text that is no UTF-8 or holds a NUL. */
function utf8(latin1: string, start: number, end: number): string {
  const piece = latin1.slice(start, end);
  if (piece.includes('\0')) throw syntax('a NUL byte in the query text', '');
  try {
    return decoder.decode(Buffer.from(piece, 'latin1'));
  } catch {
    throw syntax('the query text is not UTF-8', '');
  }
}

/** A path as a SQL string. Paths are our own, of plain characters. */
const quoted = (path: string): string => `'${path.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** Walks tokens with one token of look-ahead and refuses what no request may hold. */
class Reader {
  #iterator: Iterator<Token>;
  current: Token | undefined;
  constructor(sql: string) {
    this.#iterator = tokens(sql);
    this.next();
  }
  next(): Token | undefined {
    const before = this.current;
    const step = this.#iterator.next();
    this.current = step.done ? undefined : step.value;
    return before;
  }
  word(...names: readonly string[]): boolean {
    return this.current?.kind === 'word' && names.includes(this.current.upper);
  }
  symbol(text: string): boolean {
    return this.current?.kind === 'symbol' && this.current.text === text;
  }
  /** Skips a bracket and all inside of it. */
  skipGroup(): void {
    const depth = this.current!.depth;
    this.next();
    while (this.current && this.current.depth > depth) this.next();
    if (this.current) this.next();
  }
}

/** Skips a table's name: `a`, `a.b`, `"a"."b"`, `{t:Identifier}`. False when the text ends or is none. */
function skipName(reader: Reader): boolean {
  for (;;) {
    if (reader.symbol('{')) reader.skipGroup();
    else if (reader.current?.kind === 'word' || reader.current?.kind === 'quoted') reader.next();
    else return false;
    if (!reader.symbol('.')) return true;
    reader.next();
  }
}

/** Skips `name = value, …` behind SETTINGS. */
function skipSettings(reader: Reader): void {
  reader.next();
  for (;;) {
    if (!skipName(reader)) return;
    if (!reader.symbol('=')) return;
    reader.next();
    while (reader.symbol('-') || reader.symbol('+')) reader.next();
    if (reader.symbol('(') || reader.symbol('[') || reader.symbol('{')) reader.skipGroup();
    else reader.next();
    if (!reader.symbol(',')) return;
    reader.next();
  }
}

/** Where data begins behind FORMAT's name: after blanks and one line end (ClickHouse's ParserInsertQuery). */
function dataStart(sql: string, nameEnd: number): number {
  let at = nameEnd;
  if (sql[at] === ';') throw syntax("you have an excessive ';' before the data of INSERT", sql.slice(at));
  while (sql[at] === ' ' || sql[at] === '\t' || sql[at] === '\f') at++;
  if (sql[at] === '\r') at++;
  if (sql[at] === '\n') at++;
  return at;
}

/** `INSERT INTO name (columns) [SETTINGS …] (VALUES | FORMAT name) data`; undefined for INSERT … SELECT. */
function insertWithData(sql: string, complete: boolean, params: Params): Statement | undefined {
  const reader = new Reader(sql);
  reader.next();
  if (reader.word('INTO')) reader.next();
  if (reader.word('TABLE')) reader.next();
  const isFunction = reader.word('FUNCTION');
  if (isFunction) reader.next();
  if (!skipName(reader)) return missing(sql, complete);
  if (isFunction && reader.symbol('(')) reader.skipGroup();
  if (reader.symbol('(')) {
    const open = reader.current!;
    const inside = new Reader(sql.slice(open.end, open.end + 256)).current;
    if (inside?.kind === 'word' && (inside.upper === 'SELECT' || inside.upper === 'WITH')) return undefined;
    reader.skipGroup();
  }
  const clauseAt = reader.current?.start ?? sql.length;
  const settingsAt = reader.word('SETTINGS') ? clauseAt : -1;
  if (settingsAt >= 0) skipSettings(reader);
  const keyword = reader.current;
  if (!keyword) return missing(sql, complete);
  const settings = settingsAt < 0 ? '' : utf8(sql, settingsAt, keyword.start);
  const head = utf8(sql, 0, clauseAt);
  refuseReach([...tokens(sql.slice(0, keyword.start))], params);
  const into = (format: string) => (path: string) =>
    `${head} FROM INFILE ${quoted(path)} COMPRESSION 'none' ${settings} FORMAT ${format}`;
  if (keyword.upper === 'VALUES') {
    return { kind: 'insert', format: 'Values', dataAt: keyword.end, into: into('Values') };
  }
  if (keyword.upper === 'FORMAT') {
    reader.next();
    const name = reader.current;
    if (!name) return missing(sql, complete);
    if (name.kind !== 'word') throw syntax('expected the name of a format', name.text);
    if (name.upper === 'VALUES') {
      return { kind: 'insert', format: 'Values', dataAt: name.end, into: into('Values') };
    }
    return { kind: 'insert', format: name.text, dataAt: dataStart(sql, name.end), into: into(name.text) };
  }
  if (CLIENT_ONLY.has(keyword.upper) || keyword.upper === 'FROM') {
    throw new EngineError(48, 'INSERT … FROM INFILE is not supported over HTTP.', 'NOT_IMPLEMENTED');
  }
  if (['SELECT', 'WITH', '('].includes(keyword.upper)) return undefined;
  throw syntax('expected VALUES, FORMAT or SELECT', keyword.text);
}

/** The same for text that may be cut anywhere: what is wrong with it is said when it is whole. */
function beginningOfInsert(sql: string, params: Params): Statement {
  try {
    const insert = insertWithData(sql, false, params);
    return insert?.kind === 'insert' && insert.dataAt < sql.length ? insert : cutBehindLine(sql, insert);
  } catch {
    return { kind: 'unfinished' };
  }
}

/** An INSERT that ends exactly where its data begins counts when a line end shows that its last word is whole. */
const cutBehindLine = (sql: string, insert: Statement | undefined): Statement =>
  insert?.kind === 'insert' && /\s$/.test(sql) ? insert : { kind: 'unfinished' };

function missing(sql: string, complete: boolean): Statement {
  if (!complete) return { kind: 'unfinished' };
  throw syntax('the INSERT has no data clause', sql.slice(-80));
}

/** Refuses a second statement, files, and data behind an INSERT … SELECT; returns the tokens of the one statement. */
function oneStatement(sql: string, isInsert: boolean, params: Params): readonly Token[] {
  const list: Token[] = [];
  let ended = false;
  for (const token of tokens(sql)) {
    if (token.kind === 'semicolon') {
      ended = true;
      continue;
    }
    const before = list.at(-1);
    if (ended) {
      throw new EngineError(
        62,
        `Syntax error (Multi-statements are not allowed): failed at position ${token.start + 1}.`,
        'SYNTAX_ERROR',
      );
    }
    if (token.kind === 'word' && CLIENT_ONLY.has(token.upper) && isFileClause(before)) {
      throw new EngineError(48, `${token.upper} is not supported over HTTP.`, 'NOT_IMPLEMENTED');
    }
    if (token.upper === 'WITH' && before?.upper === 'PARALLEL') {
      throw new EngineError(48, 'PARALLEL WITH is not supported by this engine.', 'NOT_IMPLEMENTED');
    }
    if (isInsert) refuseInsertData(before, token);
    list.push(token);
  }
  refuseReach(list, params);
  return list;
}

const isFileClause = (before: Token | undefined): boolean =>
  before?.upper === 'FROM' || before?.upper === 'INTO';

function refuseInsertData(before: Token | undefined, token: Token): void {
  const input = before?.upper === 'INPUT' && token.text === '(';
  const format = before?.upper === 'FORMAT' && token.kind === 'word' && FORMAT_NAME.test(token.text);
  if (input || format) {
    throw new EngineError(
      48,
      'INSERT … SELECT with input() or FORMAT is not supported by this engine; insert the rows directly.',
      'NOT_IMPLEMENTED',
    );
  }
}

/** The last `FORMAT name [SETTINGS …]` of a statement: its token index, or -1. */
function formatClause(list: readonly Token[]): number {
  for (let i = list.length - 2; i >= 0; i--) {
    const [word, name, behind] = [list[i]!, list[i + 1]!, list[i + 2]];
    if (word.upper !== 'FORMAT' || word.kind !== 'word' || word.depth > 0 || name.kind !== 'word') continue;
    if (behind === undefined || behind.upper === 'SETTINGS') return i;
  }
  return -1;
}

/**
 * Reads `bytes`, the query text of a request (and, for an INSERT, the beginning of its data). `complete` says that
 * nothing follows. Throws code 62 on two statements and on one of no known kind, 48 on what this engine does not do.
 * Never looks at data.
 */
export function readStatement(
  bytes: Buffer,
  complete: boolean,
  defaultFormat: string,
  params: Params = new Map(),
): Statement {
  const sql = bytes.toString('latin1');
  const first = tokens(sql).next().value as Token | undefined;
  if (!first) {
    if (!complete) return { kind: 'unfinished' };
    throw new EngineError(62, 'Syntax error: empty query.', 'SYNTAX_ERROR');
  }
  if (first.upper === 'INSERT') {
    const insert = complete ? insertWithData(sql, true, params) : beginningOfInsert(sql, params);
    if (insert) return insert;
  }
  if (!complete) return { kind: 'unfinished' };
  if (!WITH_RESULT.has(first.upper) && !COMMANDS.has(first.upper))
    throw syntax('a statement of this engine does not begin so', sql.slice(first.start));
  const startsInsert = first.upper === 'INSERT' || (first.upper === 'WITH' && hasInsert(sql));
  const list = oneStatement(sql, startsInsert, params);
  const last = list.at(-1)!;
  const at = formatClause(list);
  const format = at < 0 ? defaultFormat : list[at + 1]!.text;
  if (startsInsert || !WITH_RESULT.has(first.upper)) {
    return { kind: 'command', format, sql: utf8(sql, first.start, last.end) };
  }
  const head = utf8(sql, first.start, at < 0 ? last.end : list[at]!.start);
  const tail = at < 0 ? `FORMAT ${format}` : utf8(sql, list[at]!.start, last.end);
  return {
    kind: 'rows',
    format,
    sql: `${head} ${tail}`,
    into: (path) => `${head} INTO OUTFILE ${quoted(path)} TRUNCATE ${tail}`,
  };
}

/** The rows of VALUES may be expressions: these must not reach what a statement must not. Throws code 497. */
export function checkValues(bytes: Buffer, params: Params = new Map()): void {
  refuseReachInValues(bytes.toString('latin1'), params);
}

/** `WITH … INSERT INTO …`: the one statement that inserts without beginning with INSERT. */
function hasInsert(sql: string): boolean {
  let before: Token | undefined;
  for (const token of tokens(sql)) {
    if (token.depth === 0 && token.upper === 'INTO' && before?.upper === 'INSERT') return true;
    before = token;
  }
  return false;
}
