import { z } from 'zod';

/** The regular expression (RE2) of a set of type patterns: `*` stands for any text, everything else for itself. */
export function typesRegex(patterns: readonly string[] | undefined): string {
  if (patterns === undefined) return '';
  const alternatives = patterns.map((pattern) =>
    pattern
      .split('*')
      .map((part) => part.replace(/[.\\^$|?+()[\]{}]/g, '\\$&'))
      .join('.*'),
  );
  return `^(?:${alternatives.join('|')})$`;
}

/**
 * The condition of SQL that an event is of one of the types that `typesParams` gives under this name. Types are looked up; only
 * globs are an expression, for one of a hundred types costs more to make than a lookup takes.
 */
export const ofTypes = (name: string): string =>
  `(Type IN {${name}:Array(String)} OR match(Type, {${name}Like:String}))`;

/** The parameters of `ofTypes` for patterns of types; undefined: every type. */
export const typesParams = <Name extends string>(
  name: Name,
  patterns: readonly string[] | undefined,
): Record<Name, string[]> & Record<`${Name}Like`, string> =>
  ({
    [name]: patterns?.filter((pattern) => !pattern.includes('*')) ?? [],
    [`${name}Like`]: typesRegex(patterns?.filter((pattern) => pattern.includes('*'))),
  }) as Record<Name, string[]> & Record<`${Name}Like`, string>;

/** Their form, for the schema of a query's parameters. */
export const typesShape = <Name extends string>(name: Name) =>
  ({ [name]: z.array(z.string()), [`${name}Like`]: z.string() }) as Record<Name, z.ZodArray<z.ZodString>> &
    Record<`${Name}Like`, z.ZodString>;
