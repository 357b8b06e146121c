import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Flow } from '../../model/flow.ts';

/** What to do about what a rule finds. */
export interface Runbook {
  /** An address, or a page of the documentation such as `docs/runbooks.md#payments`. */
  readonly address: string;
  /** What the page says of the rule, when it is ours. */
  readonly text?: string | undefined;
}

const ROOT = join(import.meta.dirname, '../..');

/** The runbook of each rule that has one: its own, or its flow's. */
export function runbooksOf(flows: readonly Flow[]): Map<string, Runbook> {
  const pages = new Map<string, string>();
  const found = new Map<string, Runbook>();
  for (const flow of flows)
    for (const { id, runbook = flow.runbook } of flow.expectations)
      if (runbook) found.set(id, { address: runbook, text: textOf(runbook, id, pages) });
  return found;
}

/** What the page says of the rule. */
function textOf(address: string, rule: string, pages: Map<string, string>): string | undefined {
  const page = /^docs\/[\w./-]+/.exec(address)?.[0];
  if (!page || page.includes('..')) return undefined;
  const content = pages.get(page) ?? contentOf(page);
  pages.set(page, content);
  return entryOf(content, rule);
}

/** A page that does not lie here is a user's, who names it for people. */
function contentOf(page: string): string {
  try {
    return readFileSync(join(ROOT, page), 'utf8');
  } catch {
    return '';
  }
}

/** The first entry of the page that names the rule in bold, as plain words. */
export function entryOf(page: string, rule: string): string | undefined {
  const entry = page
    .split(/^(?=- |#)/m)
    .find((one) => one.startsWith('- ') && namesIn(one).includes(rule))
    ?.split(/\n\n/, 1)[0];
  return entry
    ?.slice(2)
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_`]/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** What an entry has in bold: the rules that it is about. */
const namesIn = (entry: string): string[] =>
  [...entry.matchAll(/\*\*([^*]+)\*\*/g)].flatMap(([, names = '']) => names.split(/,\s*/));
