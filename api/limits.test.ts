import { getIntrospectionQuery, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { limitsRule, QUERY_LIMITS } from './limits.ts';
import { schema } from './schema/schema.ts';

const LIMITS = { depth: 4, aliases: 2, cost: 100, tokens: 1_000, spans: 100, logs: 100 };
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
  [
    '{ __schema { types { fields { type { ofType { name } } } } } }',
    ["the query's depth", "the query's cost"],
  ],
  ['{ __schema { types { name } } }', []],
  [
    '{ __schema { types { ...A } } } fragment A on __Type { a: name b: name c: name }',
    ["the query's aliases", "the query's cost"],
  ],
  ['{ __type(name: "Incident") { fields { a: name b: name c: name } } }', ["the query's aliases"]],
])('%s', (query, expected) => {
  expect(codes(query)).toEqual(expected);
});

test('a fragment that spreads itself ends', () => {
  expect(codes('{ viewer { ...A } } fragment A on Viewer { id ...A }')).toEqual([]);
});

const refused = (query: string) => validate(schema, parse(query), [limitsRule(QUERY_LIMITS)]).length > 0;

test.each([
  ['what tools ask of a schema', getIntrospectionQuery()],
  [
    'traces with all that their spans have',
    `{ ${Array.from({ length: 10 }, (_, n) => `t${n}: trace(id: "${n}") { events { id } spans { ...whole } }`).join(' ')} }
      fragment whole on Span { spanId name service kind attributes { key value } resourceAttributes { key value }
        events { name timeNs attributes { key value } } links { traceId spanId attributes { key value } } }`,
  ],
  [
    'a case',
    `{ case(key: "x") { documents { id kind exceptions { id rule incident { number } } }
      timeline { at event { id type subject attributes { key value } } span { spanId name service attributes { key value } } } } }`,
  ],
])('%s is allowed', (_, query) => expect(refused(query)).toBe(false));

test.each([
  ['all changes of many incidents', '{ incidents(first: 100) { edges { node { changes { change at } } } } }'],
  [
    'the schema, over and over',
    `{ __schema { types { ${'fields { type { '.repeat(5)} name ${'} } '.repeat(5)} } } }`,
  ],
])('%s are not', (_, query) => expect(refused(query)).toBe(true));
