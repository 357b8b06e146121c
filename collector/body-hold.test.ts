import { expect, test } from 'vitest';
import { BodyBudget, BodyHold } from './body.ts';

test('what is less urgent yields to others when its share of the room is used up, and alone never', () => {
  const budget = new BodyBudget(100);
  const [first, second] = [new BodyHold(budget), new BodyHold(budget)];
  first.take(90);
  expect(() => first.yieldAbove(0.75)).not.toThrow();
  second.take(10);
  expect(() => second.yieldAbove(1)).not.toThrow();
  expect(() => second.yieldAbove(0.75)).toThrow(expect.objectContaining({ code: 'request.overloaded' }));
  first.release();
  expect(() => second.yieldAbove(0.75)).not.toThrow();
});
