import { typeMatcher } from '../../model/event-pattern.ts';
import { type Expectation, needsData, startTypesOf, typesOf } from '../../model/expectation.ts';
import type { Flow } from '../../model/flow.ts';
import { caseKeysOf, type KeysOf, wayOf } from './cases.ts';

/** The built-in rule "the stream moves on": its exceptions are sources that leave obligations undecided. */
export const STALE_SOURCE_RULE = 'DC-02';

/** An enabled expectation of a flow, with its position over all flows: the order of every output. */
export interface Rule {
  readonly expectation: Expectation;
  readonly flow: Flow;
  readonly order: number;
  /** Does the rule look at events of this type? */
  looksAt(type: string): boolean;
  /** May an event of this type be the anchor of one of its obligations? */
  mayAnchor(type: string): boolean;
  /** The join keys that put an event into a case of it. */
  readonly keysOf: KeysOf;
  /** The number of the way in which it joins by keys: that of rules which find the same keys of an event. */
  readonly way: number;
}

/** The enabled rules of the flows, in their order. */
export function rulesOf(flows: readonly Flow[]): Rule[] {
  return flows
    .flatMap((flow) => flow.expectations.map((expectation) => ({ flow, expectation })))
    .filter(({ expectation }) => expectation.enabled)
    .map(({ flow, expectation }, order) => ({
      flow,
      expectation,
      order,
      looksAt: typeMatcher(typesOf(expectation)),
      mayAnchor: typeMatcher(anchorTypesOf(expectation)),
      keysOf: caseKeysOf(expectation),
      way: wayOf(expectation),
    }));
}

/** The types of the events that may be anchors of obligations. */
function anchorTypesOf(rule: Expectation): readonly string[] {
  const forbidden = rule.kind === 'integrity' && rule.forbid ? rule.forbid.types : [];
  return [...startTypesOf(rule), ...forbidden];
}

/** The types whose payload one of the rules looks into. */
export const dataTypesOf = (rules: readonly Rule[]): string[] => [
  ...new Set(rules.flatMap(({ expectation }) => (needsData(expectation) ? typesOf(expectation) : []))),
];

/** By event type, the rules that look at it; remembered. */
export function rulesByType<T extends Rule>(rules: readonly T[]): (type: string) => readonly T[] {
  const known = new Map<string, readonly T[]>();
  return (type) => {
    let found = known.get(type);
    if (!found) {
      found = rules.filter((rule) => rule.looksAt(type));
      known.set(type, found);
    }
    return found;
  };
}
