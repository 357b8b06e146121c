import { EngineError } from './errors.ts';

/**
 * The tokens of ClickHouse SQL, enough to know where a statement ends and where an INSERT's data begins.
 * After ClickHouse's `src/Parsers/Lexer.cpp`: nested comments, quoted text with both escapes, here-documents.
 * Text is taken as Latin-1, one character a byte, so that offsets are byte offsets.
 */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol' | 'semicolon';
  /** The token as written; for a word also see `upper`. */
  readonly text: string;
  /** A word in capitals (keywords have no case); for other kinds the same as `text`. */
  readonly upper: string;
  readonly start: number;
  readonly end: number;
  /** How many brackets are open around it. A bracket has the depth outside of it. */
  readonly depth: number;
}

const SPACE = /[ \t\n\r\f\v\0]/;
const WORD_START = /[A-Za-z_]/;
const WORD = /[A-Za-z0-9_$]*/y;
const NAME = /[A-Za-z0-9_$]/;
const DIGIT = /[0-9]/;
/** A number with a signed exponent, one with at most one dot, or a name that begins with a digit. */
const NUMBER =
  /[0-9][0-9_]*(?:\.[0-9_]*)?[eE][+-][0-9]+(?:_[0-9]+)*|(?:0[xX][0-9A-Fa-f_]+|[0-9][0-9_]*)\.[0-9A-Za-z_]*|[0-9A-Za-z_]+/y;
/** Behind a dot a number ends with its digits: `.5e3INTO` is two tokens. */
const FRACTION = /[0-9]+(?:_[0-9]+)*(?:[eE][+-]?[0-9]+(?:_[0-9]+)*)?/y;
const HEREDOC_TAG = /\$[A-Za-z0-9_]*\$/y;
const COMMENT_MARK = /\/\*|\*\//g;

/** The offset behind the quoted text that begins at `start`, or -1 when it never ends. */
function endOfQuoted(sql: string, start: number): number {
  const quote = sql[start];
  for (let i = start + 1; i < sql.length; i++) {
    if (sql[i] === '\\') i++;
    else if (sql[i] === quote) {
      if (sql[i + 1] !== quote) return i + 1;
      i++;
    }
  }
  return -1;
}

/** The offset behind a comment that may hold others, or the end of the text when it never ends. */
function endOfComment(sql: string, start: number): number {
  let open = 0;
  COMMENT_MARK.lastIndex = start;
  for (let mark = COMMENT_MARK.exec(sql); mark; mark = COMMENT_MARK.exec(sql)) {
    open += mark[0] === '/*' ? 1 : -1;
    if (open === 0) return COMMENT_MARK.lastIndex;
  }
  return sql.length;
}

/** The offset behind blanks and comments from `start` on. A comment that never ends reaches the end of the text. */
function endOfBlank(sql: string, start: number): number {
  let i = start;
  while (i < sql.length) {
    const two = sql.slice(i, i + 2);
    if (SPACE.test(sql[i]!)) i++;
    else if (two === '--' || two === '# ' || two === '#!' || two === '//') {
      const newline = sql.indexOf('\n', i);
      i = newline === -1 ? sql.length : newline + 1;
    } else if (two === '/*') i = endOfComment(sql, i);
    else break;
  }
  return i;
}

/** What the sticky pattern matches from `start` on: the offset behind it. */
function endOf(sql: string, start: number, pattern: RegExp): number {
  pattern.lastIndex = start;
  return pattern.test(sql) ? pattern.lastIndex : start;
}

/** Where each `$tag$` of the text stands last: a text of many that never end is not searched for each of them. */
function lastTags(sql: string): Map<string, number> {
  const found = new Map<string, number>();
  for (let i = sql.indexOf('$'); i !== -1; i = sql.indexOf('$', i + 1)) {
    const end = endOf(sql, i, HEREDOC_TAG);
    if (end > i) found.set(sql.slice(i, end), i);
  }
  return found;
}

/** The offset behind `$tag$ … $tag$`, or -1 when none begins at `start`. */
function endOfHeredoc(sql: string, start: number, last: () => Map<string, number>): number {
  const behindTag = endOf(sql, start, HEREDOC_TAG);
  if (behindTag === start) return -1;
  const tag = sql.slice(start, behindTag);
  if (last().get(tag)! < behindTag) return -1;
  return sql.indexOf(tag, behindTag) + tag.length;
}

/**
 * The tokens of `sql` one after another, without blanks and comments. Quoted text that never ends is one last
 * token up to the end. Lazy: a reader that stops at an INSERT's data never looks at the data. Throws code 62 on a byte
 * from 0x80 on outside of quotes, comments and here-documents (ClickHouse takes some of them for blanks, quotes or a minus),
 * and wherever what ClickHouse reads hangs on more than the text.
 */
export function* tokens(sql: string): Generator<Token> {
  let depth = 0;
  let tags: Map<string, number> | undefined;
  const last = (): Map<string, number> => {
    tags ??= lastTags(sql);
    return tags;
  };
  let i = endOfBlank(sql, 0);
  while (i < sql.length) {
    const char = sql[i]!;
    let kind: Token['kind'] = 'symbol';
    let end = i + 1;
    if (char >= '\x80') throw unclear(sql, i, 'only ASCII may stand outside of quotes');
    if (WORD_START.test(char)) {
      kind = 'word';
      end = endOf(sql, i, WORD);
    } else if (DIGIT.test(char)) {
      kind = 'number';
      const isBehindDot = sql[i - 1] === '.';
      end = endOf(sql, i, isBehindDot ? FRACTION : NUMBER);
      if (isBehindDot && NAME.test(sql[end] ?? ''))
        throw unclear(sql, i, 'a name that begins with a digit needs quotes behind a dot');
    } else if (char === "'" || char === '"' || char === '`') {
      kind = char === "'" ? 'string' : 'quoted';
      const close = endOfQuoted(sql, i);
      end = close === -1 ? sql.length : close;
    } else if (char === '$') {
      const close = endOfHeredoc(sql, i, last);
      if (close !== -1) [kind, end] = ['string', close];
      // `$a` is a name; a lone `$` is none, and a here-document may begin right behind it.
      else if (sql[i + 1] !== '$') [kind, end] = ['word', endOf(sql, i + 1, WORD)];
    } else if (char === ';') kind = 'semicolon';
    if (char === ')' || char === ']' || char === '}') depth = Math.max(0, depth - 1);
    const text = sql.slice(i, end);
    yield { kind, text, upper: kind === 'word' ? text.toUpperCase() : text, start: i, end, depth };
    if (char === '(' || char === '[' || char === '{') depth++;
    i = endOfBlank(sql, end);
  }
}

/** ClickHouse might read it as one token or as two. */
function unclear(sql: string, at: number, why: string): EngineError {
  const near = Buffer.from(sql.slice(at, at + 12), 'latin1').toString('utf8');
  return new EngineError(
    62,
    `Syntax error: failed at position ${at + 1} ('${near}'): ${why}.`,
    'SYNTAX_ERROR',
  );
}
