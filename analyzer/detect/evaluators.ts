import type { Expectation, ExpectationKind } from '../../model/flow.ts';
import type { Obligation } from '../../model/obligation.ts';
import type { CaseEvent } from './case-event.ts';
import type { EvaluationContext, Evaluator } from './evaluator.ts';
import { noDuplicate } from './no-duplicate/no-duplicate.ts';
import { response } from './response/response.ts';
import { stateAge } from './state-age/state-age.ts';

type RuleOf<Kind extends ExpectationKind> = Extract<Expectation, { kind: Kind }>;

/** Every kind of expectation and how it is judged. A new kind is one folder and one line here. */
const EVALUATORS: { readonly [Kind in ExpectationKind]: Evaluator<RuleOf<Kind>> } = {
  response,
  'state-age': stateAge,
  'no-duplicate': noDuplicate,
};

/** The obligations of one case under one rule, in the order of their anchors: see `Evaluator`. */
export const evaluate = (
  rule: Expectation,
  events: readonly CaseEvent[],
  context: EvaluationContext,
): Obligation[] => (EVALUATORS[rule.kind] as Evaluator<Expectation>)(rule, events, context);
