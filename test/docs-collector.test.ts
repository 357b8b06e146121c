import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { collectorConfig } from '../collector/config.ts';
import { keysConfig } from '../collector/otlp/keys-config.ts';
import { KEY_TYPES } from '../model/key.ts';

const DOCS = join(import.meta.dirname, '../docs');
const SECTIONS = new Set(Object.keys(collectorConfig.shape));

const examples = readdirSync(DOCS)
  .filter((name) => name.endsWith('.md'))
  .flatMap((name) =>
    [...readFileSync(join(DOCS, name), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(
      (match): [string, unknown] => [name, parse(match[1] ?? '')],
    ),
  )
  .filter(([, example]) => example && Object.keys(example).every((key) => SECTIONS.has(key)));

test('there are examples of collector.yaml', () => expect(examples.length).toBeGreaterThan(3));

test.each(examples)('%s: an example of collector.yaml can be used', (_, example) => {
  expect(() => collectorConfig.parse(example)).not.toThrow();
});

describe('docs/correlation.md', () => {
  const text = readFileSync(join(DOCS, 'correlation.md'), 'utf8');

  test('lists the attributes that hold keys', () => {
    const listed = [...text.matchAll(/^\| `([^`]+)` \| `([a-z0-9]+)` \|$/gm)].map(([, name, type]) => [
      name,
      type,
    ]);
    expect(Object.fromEntries(listed)).toEqual(keysConfig.parse({}).attributes);
  });

  test('lists the types of keys', () => {
    const rows = text.slice(text.indexOf('| type |'), text.indexOf('| any other word'));
    const types = [...rows.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell]) =>
      [...(cell ?? '').matchAll(/`([a-z0-9]+)`/g)].map(([, type]) => type),
    );
    expect(types.sort()).toEqual(Object.keys(KEY_TYPES).sort());
  });
});
