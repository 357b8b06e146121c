import { EngineError } from './errors.ts';
import { type Token, tokens } from './lexer.ts';

type Params = ReadonlyMap<string, string>;

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
    ...['Memory', 'Null', 'Log', 'TinyLog', 'StripeLog', 'Set', 'Join', 'Buffer', 'Merge'],
    ...['Atomic', 'Ordinary'],
  ].map((name) => name.toUpperCase()),
);
/**
 * Table functions that read columns out of a text, whose defaults and aliases are SQL that no lexer of the statement
 * sees, or streams of this process, or that run programs; and one that ends the process (viewExplain).
 */
const TABLE_FUNCTIONS = new Set([
  ...['GENERATERANDOM', 'FUZZJSON', 'FUZZQUERY', 'VIEWIFPERMITTED', 'NULL', 'ARROWSTREAM', 'INPUT'],
  ...['EXECUTABLE', 'VIEWEXPLAIN'],
]);
/** The database that every connection opens with. */
const FIRST_DATABASE = 'DEFAULT';
/** A text of columns that has names and types only; an escape could spell another word. */
const PLAIN_COLUMNS = /^(?!.*\b(?:default|alias|materialized|ephemeral)\b)(?:[^\\]|\\')*$/is;
/** What a first value of `values(…)` that is no text may begin with. A name could stand for a text. */
const PLAIN_VALUE = /^(?:[0-9[+-]|null$|true$|false$)/i;

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

/**
 * Throws code 497 when the tokens reach for what an engine on a user's machine must not give, and 456 when they name a
 * parameter that the request does not hold: a session still has those of the requests before.
 */
export function refuseReach(list: readonly Token[], params: Params): void {
  const isDefinition = ['CREATE', 'REPLACE'].includes(list[0]?.upper ?? '');
  if (list[1]?.upper === 'DATABASE' && ['DROP', 'RENAME'].includes(list[0]?.upper ?? ''))
    keepFirstDatabase(list, params);
  for (const [i, token] of list.entries()) {
    if (isDefinition && token.upper === 'ENGINE' && token.kind === 'word') checkEngine(list, i + 1);
    const name = list[i - 1]?.text === '.' ? undefined : nameOf(token);
    if (name === undefined) continue;
    // Also without a bracket: `arrayMap(file, …)` and `APPLY(file)` call it too.
    if (FUNCTIONS.has(name)) throw denied(`the name ${name.toLowerCase()} (a column of that name is t.file)`);
    if (list[i + 1]?.text === '(') refuseCall(name, list, i + 2);
    if (list[0]?.upper === 'SET' && name.startsWith('PARAM_')) throw denied('SET param_…');
  }
  checkParameters(list, params);
}

/**
 * Throws code 497 unless an engine of the list is named from token `at` on. Other tokens than a name there are refused
 * too: ClickHouse may read them otherwise than we do.
 */
function checkEngine(list: readonly Token[], at: number): void {
  let behind = at;
  // ClickHouse reads `==` as one sign of equality.
  while (list[behind]?.text === '=') behind++;
  const engine = nameOf(list[behind]);
  if (engine && ENGINES.has(engine)) return;
  throw denied(`the engine ${engine?.slice(0, 40) ?? ''} (a column of the name engine goes in quotes)`);
}

/** Throws code 497 when a statement that drops or renames databases names the one without which no connection opens. */
function keepFirstDatabase(list: readonly Token[], params: Params): void {
  for (const [i, token] of list.entries()) {
    const isParameter = token.text === '{' && list[i + 2]?.text === ':';
    const names = isParameter ? words(params.get(list[i + 1]?.text ?? '')) : [nameOf(token) ?? ''];
    if (names.includes(FIRST_DATABASE)) throw denied('dropping or renaming the database default');
  }
}

/** Throws code 497 when the call of the function, whose arguments begin at token `at`, reaches too far. */
function refuseCall(name: string, list: readonly Token[], at: number): void {
  if (name === 'DISK') throw denied('the function disk');
  if (TABLE_FUNCTIONS.has(name)) throw denied(`the table function ${name.toLowerCase()}`);
  if (name === 'FORMAT') refuseFormat(list[at], list[at + 1]);
  if (name === 'VALUES') refuseColumns(list, at);
}

const endsArgument = (token: Token | undefined): boolean => token?.text === ',' || token?.text === ')';

/**
 * The table function begins with the name of a format, the function for text with a pattern: a text with `{`. Behind a
 * backslash `{` may be part of a letter (`\x7{` is one).
 */
function refuseFormat(first: Token | undefined, next: Token | undefined): void {
  const isPattern = first?.kind === 'string' && first.text.includes('{') && !first.text.includes('\\');
  if (!isPattern || !endsArgument(next)) throw denied('the table function format');
}

/** `values` takes a first text for its columns, also in brackets and by a name that stands for it. */
function refuseColumns(list: readonly Token[], at: number): void {
  let i = at;
  while (list[i]?.text === '(') i++;
  const [first, next] = [list[i], list[i + 1]];
  if (first?.kind !== 'string') {
    if (PLAIN_VALUE.test(first?.text ?? '')) return;
    throw denied('a name or a parameter as the first value of values');
  }
  const isTuple = i > at && next?.text === ',';
  if (!endsArgument(next) || (!isTuple && !PLAIN_COLUMNS.test(first.text)))
    throw denied('a default, an alias or an escape in the columns of values');
}

/**
 * Throws code 497 when the rows of VALUES, which may be expressions, reach for what a statement must not. ClickHouse
 * reads some fields as plain text up to the closing bracket, in which only `'…'` is one piece, and others as SQL: both
 * readings agree only where there is no comment and no other quoting.
 */
export function refuseReachInValues(sql: string, params: Params): void {
  const list = [...tokens(sql)];
  let end = 0;
  for (const token of list) {
    if (token.kind === 'quoted' || token.text.startsWith('$'))
      throw denied("a text in VALUES in other quotes than '");
    if (!BLANK.test(sql.slice(end, token.start))) throw denied('a comment in VALUES');
    end = token.end;
  }
  if (!BLANK.test(sql.slice(end))) throw denied('a comment in VALUES');
  refuseReach(list, params);
}

/**
 * Checks every `{name:type}`. A view keeps its parameters to be filled in by whoever reads it, then from texts that we
 * do not know to be names: so in a view there is no Identifier.
 */
function checkParameters(list: readonly Token[], params: Params): void {
  const isView = list[0]?.upper === 'CREATE' && list.some(({ upper }) => upper === 'VIEW');
  let name: Token | undefined;
  for (const [i, token] of list.entries()) {
    if (token.text === '}') name = undefined;
    // A text before the colon is the key of a map.
    if (token.text === ':' && list[i - 2]?.text === '{' && list[i - 1]!.kind !== 'string') {
      name = list[i - 1]!;
      if (!isView && !params.has(name.text)) throw unset(name.text);
    }
    if (name && nameOf(token) === 'IDENTIFIER') {
      if (isView) throw denied('an Identifier in the definition of a view');
      checkIdentifier(params.get(name.text));
    }
  }
}

/** The value of an `{x:Identifier}`: it must not name a function either, whose escapes we would have to read. */
function checkIdentifier(value: string | undefined): void {
  if (value === undefined || value.includes('\\')) throw denied('an escape in an identifier');
  if (words(value).some((word) => FUNCTIONS.has(word))) throw denied('a function as an identifier');
}

/** The names in the value of an Identifier, which may be several with dots, in capitals. */
const words = (value = ''): string[] => value.toUpperCase().split(/[^A-Z0-9_$]+/);

const unset = (name: string): EngineError =>
  new EngineError(456, `Substitution \`${name.slice(0, 80)}\` is not set.`, 'UNKNOWN_QUERY_PARAMETER');
