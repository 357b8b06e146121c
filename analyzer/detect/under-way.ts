import type { Judgement } from './record.ts';
import type { Rule } from './rules.ts';

/** The cases of judgements that are not written yet. */
export class CasesUnderWay {
  readonly #ofRule = new Map<Rule, Set<string>>();

  add({ rule, caseKeys, ids }: Judgement): void {
    const known = this.#ofRule.get(rule) ?? new Set();
    this.#ofRule.set(rule, known);
    for (const key of caseKeys) known.add(key);
    for (const id of ids) known.add(id);
  }

  /** Is any of the judgement's cases, or of the obligations it is about, among them? */
  has({ rule, caseKeys, ids }: Judgement): boolean {
    const known = this.#ofRule.get(rule);
    return known !== undefined && (caseKeys.some((key) => known.has(key)) || ids.some((id) => known.has(id)));
  }

  clear(): void {
    this.#ofRule.clear();
  }
}
