import type { RuleOf } from '../../../model/expectation.ts';
import type { Evaluator } from '../evaluator.ts';
import { days } from './days.ts';
import { values } from './values.ts';

/** Judges what is not as usual: a number of each event by its measure, or the events of each day. */
export const anomaly: Evaluator<RuleOf<'anomaly'>> = (rule, events, context) => {
  switch (rule.measure) {
    case 'count':
    case 'completeness':
      return days({ ...rule, measure: rule.measure }, events, context);
    default:
      return values({ ...rule, measure: rule.measure }, events, context);
  }
};
