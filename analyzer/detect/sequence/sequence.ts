import type { RuleOf } from '../../../model/expectation.ts';
import type { Evaluator } from '../evaluator.ts';
import { numbers } from './numbers.ts';
import { steps } from './steps.ts';

/** Judges numbers without a gap, or steps in their order: whichever the rule names. */
export const sequence: Evaluator<RuleOf<'sequence'>> = (rule, events, context) => {
  if (rule.number !== undefined) return numbers({ ...rule, number: rule.number }, events, context);
  return rule.steps === undefined ? [] : steps({ ...rule, steps: rule.steps }, events, context);
};
