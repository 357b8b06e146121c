/**
 * The tokens of ClickHouse SQL, enough to know where a statement ends and where an INSERT's data begins.
 * After ClickHouse's `src/Parsers/Lexer.cpp`: comments, quoted text with both escapes, here-documents.
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

const SPACE = /\s/;
const WORD_START = /[A-Za-z_\x80-\xff]/;
const WORD = /[A-Za-z0-9_$\x80-\xff]/;
const DIGIT = /[0-9]/;
const NUMBER = /[0-9A-Za-z_.]/;

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

/** The offset behind blanks and comments from `start` on. A comment that never ends reaches the end of the text. */
function endOfBlank(sql: string, start: number): number {
  let i = start;
  while (i < sql.length) {
    const two = sql.slice(i, i + 2);
    const char = sql[i]!;
    if (SPACE.test(char) || char === '\0') i++;
    else if (two === '--' || two === '# ' || two === '#!' || two === '//') {
      const newline = sql.indexOf('\n', i);
      i = newline === -1 ? sql.length : newline + 1;
    } else if (two === '/*') {
      const close = sql.indexOf('*/', i + 2);
      i = close === -1 ? sql.length : close + 2;
    } else break;
  }
  return i;
}

function endOfWord(sql: string, start: number, pattern: RegExp): number {
  let i = start;
  while (i < sql.length && pattern.test(sql[i]!)) i++;
  return i;
}

/** The offset behind `$tag$ … $tag$`, or -1 when none begins at `start`. */
function endOfHeredoc(sql: string, start: number): number {
  const tag = /^\$[A-Za-z0-9_]*\$/.exec(sql.slice(start, start + 128))?.[0];
  if (!tag) return -1;
  const close = sql.indexOf(tag, start + tag.length);
  return close === -1 ? -1 : close + tag.length;
}

/**
 * The tokens of `sql` one after another, without blanks and comments. Quoted text that never ends is one last
 * token up to the end. Lazy: a reader that stops at an INSERT's data never looks at the data.
 */
export function* tokens(sql: string): Generator<Token> {
  let depth = 0;
  let i = endOfBlank(sql, 0);
  while (i < sql.length) {
    const char = sql[i]!;
    let kind: Token['kind'] = 'symbol';
    let end = i + 1;
    if (WORD_START.test(char)) {
      kind = 'word';
      end = endOfWord(sql, i, WORD);
    } else if (DIGIT.test(char)) {
      kind = 'number';
      end = endOfWord(sql, i, NUMBER);
    } else if (char === "'" || char === '"' || char === '`') {
      kind = char === "'" ? 'string' : 'quoted';
      const close = endOfQuoted(sql, i);
      end = close === -1 ? sql.length : close;
    } else if (char === '$') {
      const close = endOfHeredoc(sql, i);
      kind = close === -1 ? 'word' : 'string';
      end = close === -1 ? endOfWord(sql, i + 1, WORD) : close;
    } else if (char === ';') kind = 'semicolon';
    if (char === ')' || char === ']' || char === '}') depth = Math.max(0, depth - 1);
    const text = sql.slice(i, end);
    yield { kind, text, upper: kind === 'word' ? text.toUpperCase() : text, start: i, end, depth };
    if (char === '(' || char === '[' || char === '{') depth++;
    i = endOfBlank(sql, end);
  }
}
