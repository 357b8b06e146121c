import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { limitsRule, QUERY_LIMITS } from '../api/limits.ts';
import { schema } from '../api/schema/schema.ts';

const text = readFileSync(join(import.meta.dirname, '../docs/graphql.md'), 'utf8');
const queries = [...text.matchAll(/```graphql\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');

test('there are examples', () => expect(queries.length).toBeGreaterThan(5));
test.each(queries)('%s', (query) => {
  expect(validate(schema, parse(query))).toEqual([]);
  expect(validate(schema, parse(query), [limitsRule(QUERY_LIMITS)])).toEqual([]);
});
