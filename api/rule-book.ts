import type { Flow } from '../model/flow.ts';

/** What people want to know of a rule beside its id. */
interface RuleNotes {
  readonly name?: string | undefined;
  readonly owner: string;
  readonly runbook?: string | undefined;
}
export type RuleBook = ReadonlyMap<string, RuleNotes>;

const books = new WeakMap<readonly Flow[], RuleBook>();

/** Rules by id, with what a rule overrides of its flow; made once for each list of flows. */
export function ruleBook(flows: readonly Flow[]): RuleBook {
  const known = books.get(flows);
  if (known) return known;
  const book = new Map<string, RuleNotes>();
  for (const flow of flows)
    for (const rule of flow.expectations)
      book.set(rule.id, {
        name: rule.name,
        owner: rule.owner ?? flow.owner,
        runbook: rule.runbook ?? flow.runbook,
      });
  books.set(flows, book);
  return book;
}
