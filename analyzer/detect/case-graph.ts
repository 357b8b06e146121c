import { type CaseEvent, inEventOrder, subjectKeyOf } from './case-event.ts';
import type { KeysOf } from './cases.ts';
import type { Rule } from './rules.ts';

/** A join key, and the events found so far that have it. */
interface KeyNode {
  readonly key: string;
  readonly events: EventNode[];
  /** Has somebody taken it to ask the store which events have it, and are these here? */
  isTaken: boolean;
  isRead: boolean;
  /** The last walk that came by, and from an event of which company. */
  walk: number;
  company: string;
}

/** An event, with its keys in each of the ways in which rules that look at it join. */
interface EventNode {
  readonly event: CaseEvent;
  readonly joining: Joining;
  readonly keys: (readonly KeyNode[])[];
  walk: number;
}

/** How rules that look at a type of event join: each different way once, and by rule which of them is its own. */
export interface Joining {
  readonly ways: readonly KeysOf[];
  readonly ofRule: ReadonlyMap<Rule, { readonly way: number; readonly mayAnchor: boolean }>;
}

/** By event type how the rules join that look at it; remembered. Groups are found by their time and not by keys. */
export function joiningOf(rules: readonly Rule[]): (type: string) => Joining {
  const byKeys = rules.filter(({ expectation }) => !expectation.group);
  const known = new Map<string, Joining>();
  return (type) => {
    let joining = known.get(type);
    if (!joining) {
      const looking = byKeys.filter((rule) => rule.looksAt(type));
      const ways = [...new Map(looking.map(({ way, keysOf }) => [way, keysOf]))];
      const ofRule = new Map(
        looking.map((rule) => [
          rule,
          { way: ways.findIndex(([way]) => way === rule.way), mayAnchor: rule.mayAnchor(type) },
        ]),
      );
      joining = { ways: ways.map(([, keysOf]) => keysOf), ofRule };
      known.set(type, joining);
    }
    return joining;
  };
}

/** The cases that a walk found, and the join keys that nobody has looked for yet and that may lead to more of them. */
export interface Walk {
  readonly cases: readonly (readonly CaseEvent[])[];
  readonly unread: readonly string[];
}

interface Walking {
  readonly rule: Rule;
  readonly cases: CaseEvent[][];
  readonly unread: Set<string>;
}

/**
 * The events that were read to judge what is touched, tied together by their join keys: every rule walks over them from
 * the keys that touch it. What is not read yet is named, and read before the walk is repeated.
 */
export class CaseGraph {
  readonly #joiningOf: (type: string) => Joining;
  readonly #keys = new Map<string, KeyNode>();
  readonly #events = new Map<CaseEvent, EventNode>();
  readonly #byName = new Map<string, EventNode>();
  #walks = 0;
  /** The events of the case that is being found. */
  readonly #found: EventNode[] = [];

  constructor(joiningOf: (type: string) => Joining) {
    this.#joiningOf = joiningOf;
  }

  /** The events in it. */
  get events(): Iterable<CaseEvent> {
    return this.#events.keys();
  }

  /**
   * Adds an event under its subject and the keys by which rules join it, and returns these. One that is there already stays, also when
   * it was read another time: `name` tells which event it is.
   */
  add(name: string, event: CaseEvent): readonly string[] {
    const known = this.#byName.get(name);
    if (known) {
      this.#events.set(event, known);
      return [];
    }
    const joining = this.#joiningOf(event.type);
    const under: KeyNode[] = [this.#node(subjectKeyOf(event))];
    const keys = joining.ways.map((keysOf) =>
      keysOf(event).map((key) => {
        const known = under.find((node) => node.key === key);
        if (known) return known;
        const node = this.#node(key);
        under.push(node);
        return node;
      }),
    );
    const made = { event, joining, keys, walk: 0 };
    this.#events.set(event, made);
    this.#byName.set(name, made);
    for (const { events } of under) events.push(made);
    return under.map(({ key }) => key);
  }

  /** Those of the keys that nobody has taken yet: whoever takes them reads them. */
  take(keys: Iterable<string>): string[] {
    const taken: string[] = [];
    for (const key of keys) {
      const node = this.#node(key);
      if (node.isTaken) continue;
      node.isTaken = true;
      taken.push(key);
    }
    return taken;
  }

  /** The events that have the keys are here. */
  read(keys: Iterable<string>): void {
    for (const key of keys) this.#node(key).isRead = true;
  }

  /** The whole cases of the rule that the events and the keys touch and in which there may be an anchor, each with its events in their order. */
  walk(rule: Rule, events: Iterable<CaseEvent>, keys: Iterable<string>): Walk {
    this.#walks += 1;
    const walk: Walking = { rule, cases: [], unread: new Set() };
    for (const event of events) this.#caseFrom(this.#events.get(event), walk);
    for (const key of keys) {
      const node = this.#node(key);
      if (!node.isRead) walk.unread.add(key);
      for (const start of node.events) this.#caseFrom(start, walk);
    }
    return { cases: walk.cases, unread: [...walk.unread] };
  }

  /** Finds the events that keys join to this one, directly or through others: of its company, but for a rule that reaches across. */
  #caseFrom(start: EventNode | undefined, { rule, cases, unread }: Walking): void {
    const walk = this.#walks;
    if (!start || start.walk === walk || !start.joining.ofRule.has(rule)) return;
    const company = rule.expectation.across ? '' : start.event.company;
    const found = this.#found;
    found.length = 0;
    found.push(start);
    start.walk = walk;
    let hasAnchor = false;
    // What is found is looked at in its turn.
    for (let at = 0; at < found.length; at += 1) {
      const node = found[at] as EventNode;
      hasAnchor ||= node.joining.ofRule.get(rule)?.mayAnchor ?? false;
      for (const key of keysIn(node, rule)) {
        if (!key.isRead) unread.add(key.key);
        if (key.events.length === 1 || (key.walk === walk && key.company === company)) continue;
        key.walk = walk;
        key.company = company;
        for (const next of key.events) {
          if (next.walk === walk || (company !== '' && next.event.company !== company)) continue;
          if (!keysIn(next, rule).includes(key)) continue;
          next.walk = walk;
          found.push(next);
        }
      }
    }
    if (!hasAnchor) return;
    const one = found.map(({ event }) => event);
    cases.push(one.length > 1 ? one.sort(inEventOrder) : one);
  }

  #node(key: string): KeyNode {
    let node = this.#keys.get(key);
    if (!node) {
      node = { key, events: [], isTaken: false, isRead: false, walk: 0, company: '' };
      this.#keys.set(key, node);
    }
    return node;
  }
}

const NONE: readonly KeyNode[] = [];

/** The keys of the event that join it for the rule; none when the rule does not look at it. */
function keysIn({ joining, keys }: EventNode, rule: Rule): readonly KeyNode[] {
  const own = joining.ofRule.get(rule);
  return own === undefined ? NONE : (keys[own.way] ?? NONE);
}
