import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { expect, test } from 'vitest';

/**
 * The arrows of the house (docs/architecture.md). A part may import itself, what is listed here, and packages.
 * `cli`, `test` and `bench` may import anything; whatever is not listed may not be imported by anyone.
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  model: [],
  store: ['model'],
  odoo: ['model'],
  collector: ['model', 'store', 'odoo'],
  analyzer: ['model', 'store', 'odoo'],
  api: ['model', 'store'],
  alerts: ['model', 'store'],
  dashboards: ['model', 'store'],
  simulator: ['model'],
};
const FREE = new Set(['cli', 'test', 'bench']);
const ROOT = resolve(import.meta.dirname, '..');
/** Imports of types count: two files that need each other's words are one thought. */
const IMPORT_OF_MODULE = /(?:from\s+|import\s+|import\(\s*)['"](\.{1,2}\/[^'"]+)['"]/g;
const IMPORT = /(?:from\s+|import\s+|import\(\s*|new URL\(\s*)['"](\.{1,2}\/[^'"]+)['"]/g;

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name.startsWith('.') || entry.name === 'data') return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) ? [path] : [];
  });
}

/** Every import in `file` that crosses from one part to another, as [from part, to part]. */
function arrows(file: string, text: string): [string, string][] {
  const part = (path: string) => relative(ROOT, path).split(sep)[0] ?? '';
  return [...text.matchAll(IMPORT)]
    .map((match): [string, string] => [part(file), part(resolve(dirname(file), match[1] ?? ''))])
    .filter(([from, to]) => from !== to);
}

function forbidden(file: string, text: string): string[] {
  return arrows(file, text)
    .filter(([from]) => !FREE.has(from) && !/\.test\.ts$/.test(file))
    .filter(([from, to]) => !MAY_IMPORT[from]?.includes(to))
    .map(([from, to]) => `${relative(ROOT, file)}: ${from} must not import ${to}`);
}

test('no part imports what it must not', () => {
  const files = sources(ROOT).filter((file) => relative(ROOT, file).includes(sep));
  expect(files.length).toBeGreaterThan(10);
  expect(files.flatMap((file) => forbidden(file, readFileSync(file, 'utf8')))).toEqual([]);
});

test('a forbidden arrow is seen', () => {
  const file = join(ROOT, 'api', 'x.ts');
  expect(forbidden(file, `import { pass } from '../analyzer/detect/pass.ts';`)).toHaveLength(1);
  expect(forbidden(file, `const x = await import('../collector/otlp/server.ts');`)).toHaveLength(1);
  expect(forbidden(file, `import { event } from '../model/event.ts';`)).toEqual([]);
  expect(forbidden(join(ROOT, 'model', 'x.ts'), `import type { Row } from '../store/row.ts';`)).toHaveLength(
    1,
  );
});

/** The circles of imports among the files: each as the files that it goes through, the first one again at its end. */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file]);
    if (at >= 0 || done.has(file)) return;
    path.push(file);
    for (const next of imports.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of imports.keys()) visit(file);
  return found;
}

test('no files import each other in a circle', () => {
  const imports = new Map(
    sources(ROOT).map((file) => {
      const named = [...readFileSync(file, 'utf8').matchAll(IMPORT_OF_MODULE)].map(([, path]) => path ?? '');
      return [relative(ROOT, file), named.map((path) => relative(ROOT, resolve(dirname(file), path)))];
    }),
  );
  expect([...imports.values()].flat().filter((file) => imports.has(file)).length).toBeGreaterThan(100);
  expect(circles(imports).map((files) => files.join(' -> '))).toEqual([]);
});

test('a circle is seen', () => {
  const imports = new Map([
    ['a', ['b', 'd']],
    ['b', ['c']],
    ['c', ['a', 'd']],
    ['d', []],
  ]);
  expect(circles(imports)).toEqual([['a', 'b', 'c', 'a']]);
});
