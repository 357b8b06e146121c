import type { Usage, UsageLimits } from '../../store/postgres/model-usage.ts';

/** What the model may use in a day (UTC), of all companies together and of each. */
export interface ModelBudget {
  readonly tokensPerDay: number;
  readonly tokensPerCompany: number;
  /** Price of a million tokens, in and out, and the most that a day may cost, in the same currency; left out: not counted. */
  readonly price?: { readonly input: number; readonly output: number } | undefined;
  readonly costPerDay?: number | undefined;
}

const UNLIMITED = 1e15;
export const NOTHING: Usage = { tokens: 0, cost: 0 };

/** So many tokens a text has at most, as far as can be told without the model's own count: a token is hardly ever shorter than two characters. */
export const estimatedTokens = (characters: number): number => Math.ceil(characters / 2);

/** Tokens, and their cost in millionths. */
export const usageOf = (budget: ModelBudget | undefined, input: number, output: number): Usage => ({
  tokens: input + output,
  cost: budget?.price ? Math.ceil(input * budget.price.input + output * budget.price.output) : 0,
});

export const limitsOf = (budget: ModelBudget | undefined): UsageLimits => {
  const cost = budget?.costPerDay === undefined ? UNLIMITED : Math.round(budget.costPerDay * 1e6);
  return {
    all: { tokens: budget?.tokensPerDay ?? UNLIMITED, cost },
    company: { tokens: budget?.tokensPerCompany ?? UNLIMITED, cost },
  };
};
