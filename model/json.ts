/**
 * A number whose digits a double would bend (`9007199254740993`, `0.1000000000000000055`): kept as its text, and written
 * as it came. `JSON.rawJSON`, which TypeScript does not know yet.
 */
interface RawNumber {
  readonly rawJSON: string;
}
export const { isRawJSON, rawJSON } = JSON as unknown as {
  isRawJSON(value: unknown): value is RawNumber;
  rawJSON(text: string): RawNumber;
};
type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** Does the double print as the number that was written, `1.50` and `15e-1` being 1.5? */
function isExact(source: string, value: number): boolean {
  const digits = (text: string): string => {
    const [, mantissa = '', exponent = '0'] = /^-?([\d.]+)(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
    const [whole = '', fraction = ''] = mantissa.split('.');
    const all = `${whole}${fraction}`.replace(/^0+/, '');
    const kept = all.replace(/0+$/, '');
    return kept === '' ? '0' : `${kept}e${Number(exponent) - fraction.length + all.length - kept.length}`;
  };
  return Number.isFinite(value) && digits(source) === digits(String(value));
}

/** Where a number begins: 16 digits, or an exponent. Inside of strings it may find one that is none, which costs time only. */
const LONG_NUMBER = /(?:^|[:[,])\s*-?(?:[\d.]{16}|[\d.]+[eE])/;

/** The value of a JSON text, no digit lost: numbers that a double cannot hold come as `JSON.rawJSON`. Throws SyntaxError. */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!LONG_NUMBER.test(text)) return value;
  return parseWithSource(text, (_, item, { source }) =>
    typeof item === 'number' && source !== undefined && !isExact(source, item) ? rawJSON(source) : item,
  );
}

/** The value of a JSON text with every number as the text that stands there. Throws SyntaxError. */
export const parseJsonTexts = (text: string): unknown =>
  parseWithSource(text, (_, item, { source }) =>
    typeof item === 'number' ? (source ?? String(item)) : item,
  );
