import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { printedSchema } from './schema.ts';

const file = join(import.meta.dirname, '../../docs/schema.graphql');

test('docs/schema.graphql is the schema (rewrite it with: node api/schema/print.ts)', () => {
  expect(readFileSync(file, 'utf8')).toBe(printedSchema());
});
