import { parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { limitsRule } from './limits.ts';
import { schema } from './schema/schema.ts';

const LIMITS = { depth: 4, aliases: 2, cost: 100, tokens: 1_000 };
const codes = (query: string) =>
  validate(schema, parse(query), [limitsRule(LIMITS)]).map((error) => error.message.replace(/ is .*/, ''));

test.each([
  ['{ viewer { id } }', []],
  ['{ incidents(first: 20) { edges { node { id } } } }', []],
  ['{ incidents(first: 60) { edges { node { id } } } }', ["the query's cost"]],
  ['query ($n: Int) { incidents(first: $n) { edges { node { id } } } }', ["the query's cost"]],
  ['{ incidents(first: 1) { edges { node { assessment { id } } } } }', ["the query's depth"]],
  ['{ a: viewer { id } b: viewer { id } c: viewer { id } }', ["the query's aliases"]],
  ['{ ...A } fragment A on Query { a: viewer { x: id y: id } }', ["the query's aliases"]],
  [
    '{ ...A } fragment A on Query { incidents(first: 1) { edges { node { ...B } } } } fragment B on Incident { assessment { id } }',
    ["the query's depth"],
  ],
  ['{ __schema { types { fields { type { ofType { name } } } } } }', ["the query's depth"]],
])('%s', (query, expected) => {
  expect(codes(query)).toEqual(expected);
});

test('a fragment that spreads itself ends', () => {
  expect(codes('{ viewer { ...A } } fragment A on Viewer { id ...A }')).toEqual([]);
});
