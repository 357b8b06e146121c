import type { Problem } from '../../model/errors.ts';
import type { BadReason, Item } from './item.ts';

/** Problems that are told one by one. */
const MAX_PROBLEMS = 20;

/** What was wrong in a file, counted by reason, and the first of it told. */
export class Faults {
  readonly #problems: Problem[] = [];
  readonly #reasons = new Map<BadReason | 'bad-case', number>();
  readonly #notes = new Set<string>();
  #bad = 0;
  #badCases = 0;

  /** Something of the file itself. */
  add(where: string, reason: BadReason, what: string): void {
    this.#bad++;
    this.#note(where, reason, what);
  }

  /** A row of the file of cases. */
  addCase(where: string, what: string): void {
    this.#badCases++;
    this.#note(where, 'bad-case', what);
  }

  /** Notes what is wrong with an item, when anything is. */
  look(file: string, { where, result }: Item): void {
    if ('bad' in result) this.add(`${file}, ${where}`, result.reason, result.bad);
  }

  #note(where: string, reason: BadReason | 'bad-case', what: string): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ where, what });
  }

  /** Something that is no fault, for people to know. */
  readonly note = (text: string): void => {
    this.#notes.add(text);
  };

  get bad(): number {
    return this.#bad;
  }
  get badCases(): number {
    return this.#badCases;
  }
  get problems(): readonly Problem[] {
    return this.#problems;
  }
  get notes(): readonly string[] {
    return [...this.#notes];
  }
  /** How often each reason was met. */
  get reasons(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#reasons].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
