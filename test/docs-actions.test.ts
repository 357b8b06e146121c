import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse as parseGraphql, validate } from 'graphql';
import { expect, test } from 'vitest';
import { assessCase } from '../analyzer/triage/evaluate.ts';
import { schema } from '../api/schema/schema.ts';
import { readPolicy } from '../cli/policy-file.ts';
import { ACTIONS } from '../model/action.ts';
import { DEFAULT_POLICY } from '../model/policy.ts';
import { triageCase } from '../model/triage-case.ts';

/** What docs/actions.md, docs/audit.md and docs/triage.md show can be used as it stands there. */

const pageOf = (name: string): string => readFileSync(join(import.meta.dirname, '../docs', name), 'utf8');
const blocks = (name: string, kind: string): string[] =>
  [...pageOf(name).matchAll(new RegExp(`\`\`\`${kind}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, body]) => body ?? '',
  );

test('the policy of the page is read, and what it leaves out stays', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'closewatch-policy-'));
  try {
    expect(await readPolicy(folder)).toEqual(DEFAULT_POLICY);
    writeFileSync(join(folder, 'policy.yaml'), blocks('actions.md', 'yaml')[0] ?? '');
    const read = await readPolicy(folder);
    expect(read.actions.waive).toEqual({ ...DEFAULT_POLICY.actions.waive, tier: 'four-eyes' });
    expect(read.actions['rerun-posting'].enabled).toBe(false);
    expect(read.limits).toEqual({ finance: 'trivial', manager: 'overall' });
    expect(read.approvalHours).toBe(8);
    writeFileSync(join(folder, 'policy.yaml'), 'actions:\n  waive:\n    tier: three-eyes\n');
    await expect(readPolicy(folder)).rejects.toThrow(/policy\.yaml:3:\d+/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('every action of the catalogue is in the table', () => {
  const table = pageOf('actions.md');
  for (const kind of Object.keys(ACTIONS)) expect(table).toContain(`| \`${kind}\` |`);
});

test.each([...blocks('actions.md', 'graphql'), ...blocks('audit.md', 'graphql')])('%s', (text) => {
  expect(validate(schema, parseGraphql(text))).toEqual([]);
});

test('the case of the page is a case', () => {
  const [text = ''] = blocks('triage.md', 'json');
  const read = triageCase.parse(JSON.parse(text));
  expect(assessCase(read).category).toBe(read.expected.category);
});
