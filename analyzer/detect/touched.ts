import type { Rule } from './rules.ts';

/** Something to be judged together: the join keys that find its case, and the obligation, when one is meant. */
export interface TouchedUnit {
  readonly keys: readonly string[];
  readonly obligation?: string | undefined;
}

/** What is to be judged of one rule in one step. */
export interface TouchedPart {
  readonly rule: Rule;
  readonly keys: readonly string[];
  readonly obligations: readonly string[];
}

/** Gathers what new events and the passing of time touch, by rule, and gives it out in parts of a bounded size. */
export class Touched {
  readonly #units = new Map<Rule, TouchedUnit[]>();

  add(rule: Rule, unit: TouchedUnit): void {
    const units = this.#units.get(rule);
    if (units) units.push(unit);
    else this.#units.set(rule, [unit]);
  }

  /** Each rule's units, those of one part having about `size` different join keys. */
  *parts(size: number): Generator<TouchedPart> {
    for (const [rule, units] of this.#units) {
      let keys = new Set<string>();
      let obligations = new Set<string>();
      for (const unit of units) {
        for (const key of unit.keys) keys.add(key);
        if (unit.obligation) obligations.add(unit.obligation);
        if (keys.size < size && obligations.size < size) continue;
        yield { rule, keys: [...keys], obligations: [...obligations] };
        [keys, obligations] = [new Set(), new Set()];
      }
      if (keys.size > 0 || obligations.size > 0)
        yield { rule, keys: [...keys], obligations: [...obligations] };
    }
  }
}

/** The parts in groups, those of one having about `size` different join keys together. */
export function* togetherUpTo(
  size: number,
  parts: readonly TouchedPart[],
): Generator<readonly TouchedPart[]> {
  let group: TouchedPart[] = [];
  let keys = new Set<string>();
  for (const part of parts) {
    group.push(part);
    for (const key of part.keys) keys.add(key);
    if (keys.size < size) continue;
    yield group;
    [group, keys] = [[], new Set()];
  }
  if (group.length > 0) yield group;
}
