import type { Signal } from './decoder.ts';
import type { JsonReader } from './json-reader.ts';

/** The member of a request that holds everything, and the members below it that lead to the records. */
const PATHS: Record<Signal, readonly [member: string, ...below: string[]]> = {
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  metrics: [
    'resourceMetrics',
    'scopeMetrics',
    'metrics',
    'gauge sum histogram exponentialHistogram summary',
    'dataPoints',
  ],
};

/** The members of requests of other signals than `signal`, each with what counts the records in its value. */
export const foreignMembers = (signal: Signal): ReadonlyMap<string, (json: JsonReader) => number> =>
  new Map(
    Object.entries(PATHS)
      .filter(([other]) => other !== signal)
      .map(([, [member, ...below]]) => [
        member,
        (json: JsonReader) =>
          countBelow(
            json,
            below.map((names) => names.split(' ')),
          ),
      ]),
  );

/** Passes over the value that comes next and counts the items of the last list; anything else is passed over too. */
function countBelow(json: JsonReader, below: readonly string[][]): number {
  if (!json.enterArray()) return countMembers(json, below);
  let count = 0;
  for (let first = true; json.nextItem(first); first = false) {
    if (below.length > 0) count += countMembers(json, below);
    else {
      json.skip();
      count++;
    }
  }
  return count;
}

function countMembers(json: JsonReader, [names, ...below]: readonly string[][]): number {
  let count = 0;
  if (!names || !json.enterObject()) json.skip();
  else {
    for (let first = true; json.nextMember(first); first = false) {
      if (names.includes(json.name())) count += countBelow(json, below);
      else json.skip();
    }
  }
  return count;
}
