/** A named counter with labels of few values, as /metrics prints it. */
export interface Sample {
  readonly name: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What was counted in this process. Label values come from closed sets or from sources we know, never from a sender. */
export interface Counters {
  /** Adds `by` (1) to the counter of this name and these labels. */
  add(name: string, labels: Readonly<Record<string, string>>, by?: number): void;
  /** Every counter, by name, then labels. */
  snapshot(): Sample[];
}

/** Label sets of one name at most; further ones are counted under `other`, so that no sender can fill the memory. */
const MAX_SERIES = 1000;

/** A registry of counters; `help` says what each name counts. */
export function createCounters(help: Readonly<Record<string, string>> = {}): Counters {
  const series = new Map<string, Map<string, { labels: Readonly<Record<string, string>>; value: number }>>();
  return {
    add(name, labels, by = 1) {
      const ofName = series.get(name) ?? new Map();
      series.set(name, ofName);
      const sorted = Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
      const full = ofName.size >= MAX_SERIES && !ofName.has(JSON.stringify(sorted));
      const kept = full ? Object.fromEntries(Object.keys(sorted).map((label) => [label, 'other'])) : sorted;
      const at = JSON.stringify(kept);
      const counter = ofName.get(at) ?? { labels: kept, value: 0 };
      counter.value += by;
      ofName.set(at, counter);
    },
    snapshot: () =>
      [...series]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([name, ofName]) =>
          [...ofName]
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([, { labels, value }]) => ({ name, help: help[name] ?? name, labels, value })),
        ),
  };
}
