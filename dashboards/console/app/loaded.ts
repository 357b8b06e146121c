/** What is known of an answer. `data` of an error is the last answer to the same question, and `at` when it came (epoch ms). */
export type Loaded<Data> =
  | { state: 'loading'; data?: undefined; at?: undefined }
  | { state: 'error'; error: Error; data: Data | undefined; at: number | undefined }
  | { state: 'ready'; data: Data; at: number };

/** An answer, kept with the question that it answers. */
export interface Held<Data> {
  readonly question: string;
  readonly loaded: Loaded<Data>;
}

/** What is held, when it answers this question; else it is still loading: never one company's figures under another's name. */
export const answerTo = <Data>(held: Held<Data>, question: string): Loaded<Data> =>
  held.question === question ? held.loaded : { state: 'loading' };

/** The failure, with what was known before it: a page that could not be refreshed is old, not empty. */
export function failed<Data>(before: Held<Data>, question: string, error: Error): Held<Data> {
  const { data, at } = answerTo(before, question);
  return { question, loaded: { state: 'error', error, data, at } };
}
