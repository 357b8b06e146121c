import { EngineError } from './errors.ts';
import type { Token } from './lexer.ts';

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
/** “ ” ‘ ’ in UTF-8: ClickHouse takes them for quotes, our lexer for letters. */
const TYPOGRAPHIC_QUOTE = /\xe2\x80[\x98\x99\x9c\x9d]/;

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
    if (token.kind === 'word' && TYPOGRAPHIC_QUOTE.test(token.text)) throw denied('a typographic quote');
    const name = list[i - 1]?.text === '.' ? undefined : nameOf(token);
    if (name === undefined) continue;
    // Also without a bracket: `arrayMap(file, …)` and `APPLY(file)` call it too.
    if (FUNCTIONS.has(name)) throw denied(`the name ${name.toLowerCase()} (a column of that name is t.file)`);
    if (name === 'DISK' && list[i + 1]?.text === '(') throw denied('the function disk');
    if (name === 'IDENTIFIER' && list[i - 1]?.text === ':')
      checkIdentifier(params.get(list[i - 2]?.text ?? ''));
    if (list[0]?.upper === 'SET' && name.startsWith('PARAM_')) throw denied('SET param_…');
    if (isDefinition && name === 'ENGINE' && token.kind === 'word') {
      const engine = nameOf(list[i + 1]?.text === '=' ? list[i + 2] : list[i + 1]);
      if (engine && !ENGINES.has(engine)) throw denied(`the engine ${engine.slice(0, 40)}`);
    }
  }
}

/** The value of an `{x:Identifier}`: it must not name a function either, whose escapes we would have to read. */
function checkIdentifier(value: string | undefined): void {
  if (value === undefined) return;
  if (value.includes('\\')) throw denied('an escape in an identifier');
  if (FUNCTIONS.has(value.trim().toUpperCase())) throw denied('a function as an identifier');
}
