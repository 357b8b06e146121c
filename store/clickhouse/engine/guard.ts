import { EngineError } from './errors.ts';
import { type Token, tokens } from './lexer.ts';

/**
 * What grants (settings.ts) cannot refuse, since chDB takes itself for a console tool of the user: functions that read
 * files of this machine, run text as SQL, ask models or open disks elsewhere, and table engines that write to a path of their own choice.
 */
const FUNCTIONS = new Set([
  ...['FILE', 'EVAL', 'CATBOOSTEVALUATE'],
  ...['AICLASSIFY', 'AIGENERATE', 'AIEXTRACT', 'AIEMBED', 'AITRANSLATE'],
]);
const ENGINES = new Set(
  [
    ...[
      '',
      'Replacing',
      'Summing',
      'Aggregating',
      'Collapsing',
      'VersionedCollapsing',
      'Graphite',
      'Coalescing',
    ].map((kind) => `${kind}MergeTree`),
    ...['Memory', 'Null', 'Log', 'TinyLog', 'StripeLog', 'Set', 'Join', 'Buffer', 'Merge', 'GenerateRandom'],
    ...['Atomic', 'Ordinary'],
  ].map((name) => name.toUpperCase()),
);
/**
 * Table functions that read columns out of a text, whose defaults and aliases are SQL that no lexer of the statement
 * sees, or streams of this process.
 */
const TEXT_AS_COLUMNS = new Set([
  ...['GENERATERANDOM', 'FUZZJSON', 'FUZZQUERY', 'VIEWIFPERMITTED', 'NULL', 'ARROWSTREAM'],
]);
/** A text of columns that has names and types only; an escape could spell another word. */
const PLAIN_COLUMNS = /^(?!.*\b(?:default|alias|materialized|ephemeral)\b)(?:[^\\]|\\')*$/is;

const BLANK = /^[ \t\n\r\f\v]*$/;

const denied = (what: string): EngineError =>
  new EngineError(
    497,
    `Not enough privileges: ${what} is not available in the embedded engine.`,
    'ACCESS_DENIED',
  );

/** The name that a token stands for, in capitals; undefined for what is no name. An escape makes a name unknowable. */
function nameOf(token: Token | undefined): string | undefined {
  if (token?.kind === 'word') return token.upper;
  if (token?.kind !== 'quoted') return undefined;
  if (token.text.includes('\\')) throw denied('an escape in a quoted name');
  return token.text.slice(1, -1).toUpperCase();
}

/** Throws code 497 when the tokens reach for what an engine on a user's machine must not give. */
export function refuseReach(list: readonly Token[], params: ReadonlyMap<string, string> = new Map()): void {
  const isDefinition = ['CREATE', 'ATTACH', 'REPLACE'].includes(list[0]?.upper ?? '');
  for (const [i, token] of list.entries()) {
    const name = list[i - 1]?.text === '.' ? undefined : nameOf(token);
    if (name === undefined) continue;
    // Also without a bracket: `arrayMap(file, …)` and `APPLY(file)` call it too.
    if (FUNCTIONS.has(name)) throw denied(`the name ${name.toLowerCase()} (a column of that name is t.file)`);
    if (list[i + 1]?.text === '(') refuseCall(name, list[i + 2], list[i + 3]);
    if (name === 'IDENTIFIER' && list[i - 1]?.text === ':')
      checkIdentifier(params.get(list[i - 2]?.text ?? ''));
    if (list[0]?.upper === 'SET' && name.startsWith('PARAM_')) throw denied('SET param_…');
    if (isDefinition && name === 'ENGINE' && token.kind === 'word') {
      const engine = nameOf(list[i + 1]?.text === '=' ? list[i + 2] : list[i + 1]);
      if (engine && !ENGINES.has(engine)) throw denied(`the engine ${engine.slice(0, 40)}`);
    }
  }
}

/** Throws code 497 when the call of the function, whose first argument begins with `first` and goes on with `next`, reaches too far. */
function refuseCall(name: string, first: Token | undefined, next: Token | undefined): void {
  if (name === 'DISK') throw denied('the function disk');
  if (TEXT_AS_COLUMNS.has(name)) throw denied(`the table function ${name.toLowerCase()}`);
  const text = first?.kind === 'string' ? first.text : undefined;
  // The table function begins with the name of a format, the function for text with a pattern.
  const isPattern = text?.includes('{') && (next?.text === ',' || next?.text === ')');
  if (name === 'FORMAT' && !isPattern) throw denied('the table function format');
  if (name !== 'VALUES') return;
  if (first?.text === '{') throw denied('a parameter as the columns of values');
  if (text !== undefined && !PLAIN_COLUMNS.test(text))
    throw denied('a default, an alias or an escape in the columns of values');
}

/**
 * Throws code 497 when the rows of VALUES, which may be expressions, reach for what a statement must not. ClickHouse
 * reads some fields as plain text up to the closing bracket, in which only `'…'` is one piece, and others as SQL: both
 * readings agree only where there is no comment and no other quoting.
 */
export function refuseReachInValues(sql: string): void {
  const list = [...tokens(sql)];
  let end = 0;
  for (const token of list) {
    if (token.kind === 'quoted' || token.text.startsWith('$'))
      throw denied("a text in VALUES in other quotes than '");
    if (!BLANK.test(sql.slice(end, token.start))) throw denied('a comment in VALUES');
    end = token.end;
  }
  if (!BLANK.test(sql.slice(end))) throw denied('a comment in VALUES');
  refuseReach(list);
}

/** The value of an `{x:Identifier}`: it must not name a function either, whose escapes we would have to read. */
function checkIdentifier(value: string | undefined): void {
  if (value === undefined) return;
  if (value.includes('\\')) throw denied('an escape in an identifier');
  if (FUNCTIONS.has(value.trim().toUpperCase())) throw denied('a function as an identifier');
}
