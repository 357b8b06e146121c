import { getIntrospectionQuery, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { limitsRule, QUERY_LIMITS } from './limits.ts';
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
    'a trace with the attributes of its spans',
    '{ trace(id: "1") { events { id } spans { spanId name service kind attributes { key value } resourceAttributes { key value } } } }',
  ],
  [
    'a case',
    '{ case(key: "x") { documents { id kind exceptions { id rule incident { number } } } timeline { at event { id type subject } span { spanId name service } } } }',
  ],
  [
    'every event of a span, of fewer spans',
    '{ trace(id: "1") { spans(first: 200) { name events { name attributes { key value } } links { spanId attributes { key value } } } } }',
  ],
])('%s is allowed', (_, query) => expect(refused(query)).toBe(false));

test.each([
  [
    'spans by aliases',
    `{ ${['a', 'b', 'c', 'd'].map((name) => `${name}: trace(id: "${name}") { spans { name attributes { key value } } }`).join(' ')} }`,
  ],
  [
    'attributes of every line of a timeline',
    '{ case(key: "x") { timeline { span { attributes { key value } resourceAttributes { key value } } } } }',
  ],
  ['all changes of many incidents', '{ incidents(first: 100) { edges { node { changes { change at } } } } }'],
  [
    'the schema, over and over',
    `{ __schema { types { ${'fields { type { '.repeat(5)} name ${'} } '.repeat(5)} } } }`,
  ],
])('%s are not', (_, query) => expect(refused(query)).toBe(true));
