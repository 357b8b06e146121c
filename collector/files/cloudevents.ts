import { parseJson } from '../../model/json.ts';
import { parseInstant } from '../../model/time.ts';
import { judgeEvent } from '../cloudevents/event.ts';
import type { FormatReader } from './format.ts';
import { bad, type Item, type RowResult } from './item.ts';
import { linesOf, MAX_LINE } from './lines.ts';

/** What becomes of a line with a structured CloudEvent: judged as POST /v1/events judges it, and marked as history. */
function resultOf(line: string, facts: { sender: string; now: bigint }): RowResult {
  let given: unknown;
  try {
    given = parseJson(line);
  } catch (error) {
    return bad('unreadable', `is not JSON: ${(error as Error).message.slice(0, 120)}`);
  }
  const judged = judgeEvent(given, facts);
  if ('refused' in judged) {
    const what = judged.problems.map(({ where, what }) => (where ? `${where}: ${what}` : what));
    return bad(judged.refused, what.join('; ').slice(0, 1000));
  }
  const { event, bodyHash, declares } = judged.accepted;
  const at = parseInstant(event.time) ?? 0n;
  return { event: { ...event, ingestPath: 'file' }, at, bodyHash, declares };
}

/** CloudEvents 1.0 in structured mode, one a line; `source` is what they may speak for, `*` for any. */
export const cloudEventsFormat: FormatReader = {
  format: 'cloudevents',
  title: 'CloudEvents, one a line',
  hasRows: false,
  endings: ['cloudevents'],
  shows(head, isMapped) {
    if (isMapped) return false;
    const [first = ''] = head
      .toString()
      .replace(/^\uFEFF/, '')
      .trimStart()
      .split('\n', 1);
    return first.startsWith('{') && /"specversion"\s*:/.test(first);
  },
  async *read(file, { source, now }): AsyncGenerator<Item> {
    for await (const { number, text } of linesOf(file.bytes(), ', as JSON is')) {
      const result =
        text === undefined
          ? bad('too-large', `is longer than ${MAX_LINE} characters`)
          : resultOf(text, { sender: source, now });
      yield { where: `line ${number}`, result };
    }
  },
};
