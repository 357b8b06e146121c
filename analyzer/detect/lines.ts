import { textOf } from '../../model/event-field.ts';
import { canonicalAmount, isDecimal, sumAmounts } from '../../model/money.ts';
import type { CaseEvent } from './case-event.ts';

/** The lines of a document: orders, receipts and bills carry `data.lines`. */
export const linesOf = ({ data }: Pick<CaseEvent, 'data'>): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(data.lines)
    ? data.lines.filter((line): line is Record<string, unknown> => typeof line === 'object' && line !== null)
    : [];

/** The field's name of `lines.<name>`; undefined for a field of the event itself. */
export const lineField = (field: string): string | undefined =>
  field.startsWith('lines.') ? field.slice('lines.'.length) : undefined;

/** The sum of a field over the lines of the event; undefined when no line has it as a number. */
export function lineSum(event: Pick<CaseEvent, 'data'>, field: string): string | undefined {
  const values = linesOf(event)
    .flatMap((line) => textOf(line[field]) ?? [])
    .filter(isDecimal);
  return values.length === 0 ? undefined : canonicalAmount(sumAmounts(values));
}

/** Sums of a field by what joins the lines (`poline`), over the lines of all the events. Lines without either are left out. */
export function lineSums(
  events: readonly Pick<CaseEvent, 'data'>[],
  join: string,
  field: string,
): Map<string, string> {
  const values = new Map<string, string[]>();
  for (const line of events.flatMap(linesOf)) {
    const [name, value] = [textOf(line[join]), textOf(line[field])];
    if (name === undefined || !isDecimal(value)) continue;
    const known = values.get(name);
    if (known) known.push(value);
    else values.set(name, [value]);
  }
  return new Map([...values].map(([name, all]) => [name, sumAmounts(all)]));
}
