import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, print } from 'graphql';
import { expect, test } from 'vitest';
import { printedSchema } from './schema.ts';

const file = join(import.meta.dirname, '../../docs/schema.graphql');

test('docs/schema.graphql is the schema (rewrite it with: node api/schema/print.ts)', () => {
  const written = (text: string) => print(parse(text));
  expect(written(readFileSync(file, 'utf8'))).toBe(written(printedSchema()));
});
