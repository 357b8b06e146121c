import type { Expectation } from '../../model/expectation.ts';
import { type CaseEvent, inEventOrder, joinKeysOfTypes, subjectKeyOf } from './case-event.ts';
import { groupKeyOf } from './groups.ts';

type Joining = Pick<Expectation, 'id' | 'by' | 'kind' | 'group'> & { readonly across?: boolean };

/**
 * The join keys that put an event into a case of the rule: those of the types in `by`. An event that has none of them
 * joins by its subject alone. Where duplicates are sought the subject joins too, so that what takes a document out
 * (`unless`) finds it without the key. Of a rule that groups it is the group's; one that lacks a field of it is in none.
 */
export function caseKeysOf(rule: Joining, event: CaseEvent): string[] {
  if (rule.group) return groupKeyOf(rule, event);
  const keys = joinKeysOfTypes(event, rule.by);
  if (keys.length === 0 || (rule.kind === 'no-duplicate' && !rule.by.includes('subject'))) {
    keys.push(subjectKeyOf(event));
  }
  return keys;
}

/**
 * What tells the case of an event from the other cases of its subject: the least of the keys that put it there; empty when
 * the subject did, for a subject has one such case. No key lies in two cases of a company.
 */
export function caseNameOf(rule: Pick<Expectation, 'by' | 'kind'>, event: CaseEvent): string {
  if (rule.by.includes('subject')) return '';
  return joinKeysOfTypes(event, rule.by).sort()[0] ?? '';
}

/** Do the cases of the rule lie side by side in the order (company, source, subject)? Then they stream. */
export const isSubjectOnly = (rule: Pick<Expectation, 'by' | 'kind' | 'group'>): boolean =>
  !rule.group && rule.kind !== 'no-duplicate' && rule.by.every((type) => type === 'subject');

/** Disjoint sets of numbers 0 … n−1. */
class Sets {
  readonly #parent: number[] = [];

  add(): number {
    return this.#parent.push(this.#parent.length) - 1;
  }

  find(member: number): number {
    let root = member;
    while (this.#parent[root] !== root) root = this.#parent[root] as number;
    for (let at = member; at !== root; ) {
      const next = this.#parent[at] as number;
      this.#parent[at] = root;
      at = next;
    }
    return root;
  }

  join(a: number, b: number): void {
    this.#parent[this.find(b)] = this.find(a);
  }
}

/**
 * The cases that the rule's join keys make of the events, per company: events joined directly or through others are one
 * case, and of a rule that reaches across companies those of all. Cases come in the order of their first event, the events of each in event order.
 */
export function casesOf(rule: Joining, events: Iterable<CaseEvent>): CaseEvent[][] {
  const sorted = [...events].sort(inEventOrder);
  const sets = new Sets();
  const firstWith = new Map<string, number>();
  const members: (number | undefined)[] = sorted.map((event) => {
    const keys = caseKeysOf(rule, event);
    if (keys.length === 0) return undefined;
    const member = sets.add();
    for (const key of keys) {
      const room = rule.across ? key : `${event.company}\n${key}`;
      const known = firstWith.get(room);
      if (known === undefined) firstWith.set(room, member);
      else sets.join(known, member);
    }
    return member;
  });
  const cases = new Map<number, CaseEvent[]>();
  sorted.forEach((event, index) => {
    const member = members[index];
    if (member === undefined) return;
    const root = sets.find(member);
    const found = cases.get(root);
    if (found) found.push(event);
    else cases.set(root, [event]);
  });
  return [...cases.values()];
}
