import { fieldOf } from '../../../model/event-field.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import { type CaseEvent, isSameSubject, joinKeysOfTypes } from '../case-event.ts';
import { canonicalValue, compareWithin, samePartsOf } from '../compare.ts';
import { distance } from '../following.ts';
import { lookbackOf } from '../groups.ts';
import { nearness, variantsOf } from './near.ts';

type Rule = RuleOf<'no-duplicate'>;

/** Remembers documents, and finds of a later one the earliest that it repeats. */
export interface Earlier {
  find(event: CaseEvent): CaseEvent | undefined;
  add(event: CaseEvent): void;
}

/**
 * The memory of a rule. What must be equal finds the candidates; tolerances, nearness, what must differ and the lookback sort
 * them out. So it costs what is alike, not every pair.
 */
export function createEarlier(rule: Rule): Earlier {
  const parts = samePartsOf(rule.same);
  const exact = parts.filter(({ tolerance, field, other }) => tolerance === undefined && field === other);
  const loose = parts.filter((part) => !exact.includes(part));
  const { near, differ } = rule;
  const lookback = lookbackOf(rule);
  // Where equality says it all, the first of a bucket and one of another subject are enough.
  const isPlain = loose.length === 0 && !near && differ.length === 0 && lookback === undefined;
  const buckets = new Map<string, CaseEvent[]>();

  function bucketsOf(event: CaseEvent): string[] {
    const fields = exact.map(({ field }) => fieldOf(event, field));
    if (fields.some((value) => value === undefined)) return [];
    const same = fields.map((value) => canonicalValue(value as string));
    const variants = near ? variantsOfNear(event) : [''];
    const keys = rule.group ? [''] : joinKeysOfTypes(event, rule.by);
    return keys.flatMap((key) => variants.map((variant) => JSON.stringify([key, variant, ...same])));
  }

  function variantsOfNear(event: CaseEvent): string[] {
    const value = near && fieldOf(event, near.field);
    if (!near || value === undefined) return [];
    const variants = variantsOf(value, near);
    if (!variants) return [];
    return near.how.includes('contained') ? [''] : variants;
  }

  const repeats = (event: CaseEvent, first: CaseEvent): boolean =>
    (lookback === undefined || distance(first, event) <= lookback) &&
    loose.every(({ field, other, tolerance }) => {
      const [a, b] = [fieldOf(event, field), fieldOf(first, other)];
      return a !== undefined && b !== undefined && compareWithin(a, b, tolerance) === 0;
    }) &&
    differ.every((field) => {
      const [a, b] = [fieldOf(event, field), fieldOf(first, field)];
      return a !== undefined && b !== undefined && compareWithin(a, b) !== 0;
    }) &&
    (!near || nearnessOf(rule, event, first) !== undefined);

  return {
    find(event) {
      let earliest: CaseEvent | undefined;
      for (const bucket of bucketsOf(event))
        for (const first of buckets.get(bucket) ?? []) {
          // History of the same subject was there before the others: it is they who repeat it.
          if (isSameSubject(first, event)) break;
          if (!repeats(event, first)) continue;
          if (!earliest || first.at < earliest.at) earliest = first;
          break;
        }
      return earliest;
    },
    add(event) {
      for (const bucket of bucketsOf(event)) {
        const known = buckets.get(bucket);
        if (!known) buckets.set(bucket, [event]);
        else if (!isPlain || known.length < 2) known.push(event);
        // Events come in order: what lies further back than the lookback is never found again.
        while (known && lookback !== undefined && known[0] && distance(known[0], event) > lookback)
          known.shift();
      }
    },
  };
}

/** How the two are nearly equal in the rule's field; undefined when they are not, or the rule has none. */
export function nearnessOf({ near }: Rule, event: CaseEvent, first: CaseEvent): string | undefined {
  if (!near) return undefined;
  const [a, b] = [fieldOf(event, near.field), fieldOf(first, near.field)];
  return a === undefined || b === undefined ? undefined : nearness(a, b, near);
}
