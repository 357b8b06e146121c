import type { Expectation, ExpectationKind, RuleOf } from '../../model/expectation.ts';
import type { Obligation } from '../../model/obligation.ts';
import { anomaly } from './anomaly/anomaly.ts';
import { balance } from './balance/balance.ts';
import type { CaseEvent } from './case-event.ts';
import { distinctActors } from './distinct-actors/distinct-actors.ts';
import { equalValue } from './equal-value/equal-value.ts';
import type { EvaluationContext, Evaluator } from './evaluator.ts';
import { expiry } from './expiry/expiry.ts';
import { integrity } from './integrity/integrity.ts';
import { membership } from './membership/membership.ts';
import { noDuplicate } from './no-duplicate/no-duplicate.ts';
import { precedence } from './precedence/precedence.ts';
import { response } from './response/response.ts';
import { sequence } from './sequence/sequence.ts';
import { setEquality } from './set-equality/set-equality.ts';
import { stateAge } from './state-age/state-age.ts';
import { threshold } from './threshold/threshold.ts';
import { watermark } from './watermark/watermark.ts';

/** Every kind of expectation and how it is judged. A new kind is one folder and one line here. */
const EVALUATORS: { readonly [Kind in ExpectationKind]: Evaluator<RuleOf<Kind>> } = {
  response,
  precedence,
  'distinct-actors': distinctActors,
  'equal-value': equalValue,
  'no-duplicate': noDuplicate,
  'state-age': stateAge,
  'set-equality': setEquality,
  watermark,
  balance,
  sequence,
  threshold,
  membership,
  expiry,
  integrity,
  anomaly,
};

/** The obligations of one case under one rule, in the order of their anchors: see `Evaluator`. */
export const evaluate = (
  rule: Expectation,
  events: readonly CaseEvent[],
  context: EvaluationContext,
): Obligation[] => (EVALUATORS[rule.kind] as Evaluator<Expectation>)(rule, events, context);
