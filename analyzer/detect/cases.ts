import type { Expectation } from '../../model/expectation.ts';
import {
  type CaseEvent,
  inEventOrder,
  joinKeysOfTypes,
  rememberedKeys,
  rememberKeys,
  subjectKeyOf,
} from './case-event.ts';
import { groupKeyOf } from './groups.ts';

type Joining = Pick<Expectation, 'id' | 'by' | 'kind' | 'group'> & { readonly across?: boolean };

/** The join keys that put an event into a case of a rule. */
export type KeysOf = (event: CaseEvent) => readonly string[];

const KEYS_OF = new WeakMap<Joining, KeysOf>();

/**
 * The join keys that put events into cases of the rule: those of the types in `by`. An event that has none of them
 * joins by its subject alone. Where duplicates are sought the subject joins too, so that what takes a document out
 * (`unless`) finds it without the key. Of a rule that groups it is the group's; one that lacks a field of it is in none.
 */
export function caseKeysOf(rule: Joining): KeysOf {
  const known = KEYS_OF.get(rule);
  if (known) return known;
  const made: KeysOf = rule.group ? (event) => groupKeyOf(rule, event) : byKeyTypes(rule);
  KEYS_OF.set(rule, made);
  return made;
}

/** The ways in which rules join, by what tells them apart: those that join alike find the keys of an event made. */
const WAYS = new Map<string, number>();

/** The number of the way in which the rule joins by keys: rules of one number find the same keys of an event. */
export function wayOf({ kind, by }: Pick<Joining, 'kind' | 'by'>): number {
  const name = JSON.stringify([isWithSubject({ kind, by }), ...by]);
  const way = WAYS.get(name) ?? WAYS.size;
  WAYS.set(name, way);
  return way;
}

const isWithSubject = ({ kind, by }: Pick<Joining, 'kind' | 'by'>): boolean =>
  kind === 'no-duplicate' && !by.includes('subject');

function byKeyTypes(rule: Joining): KeysOf {
  const { by } = rule;
  const way = wayOf(rule);
  const withSubject = isWithSubject(rule);
  return (event) => {
    const known = rememberedKeys(event, way);
    if (known) return known;
    const keys = joinKeysOfTypes(event, by);
    if (keys.length === 0 || withSubject) keys.push(subjectKeyOf(event));
    rememberKeys(event, way, keys);
    return keys;
  };
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
  const keysOf = caseKeysOf(rule);
  const sorted = [...events].sort(inEventOrder);
  const sets = new Sets();
  const rooms = new Map<string, Map<string, number>>();
  const members: (number | undefined)[] = sorted.map((event) => {
    const keys = keysOf(event);
    if (keys.length === 0) return undefined;
    const member = sets.add();
    const room = rule.across ? '' : event.company;
    const firstWith = rooms.get(room) ?? new Map<string, number>();
    rooms.set(room, firstWith);
    for (const key of keys) {
      const known = firstWith.get(key);
      if (known === undefined) firstWith.set(key, member);
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
