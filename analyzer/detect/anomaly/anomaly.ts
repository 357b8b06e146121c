import type { RuleOf } from '../../../model/expectation.ts';
import type { Evaluator } from '../evaluator.ts';

export const anomaly: Evaluator<RuleOf<'anomaly'>> = () => [];
