import type { Key } from '../../model/key.ts';

/** A key when there is a value; Odoo's texts may be long. */
const keyOf = (type: string, value: string | undefined): Key[] => {
  const text = value?.trim().slice(0, 512) ?? '';
  return text === '' ? [] : [{ type, value: text }];
};

/** The numbers in an origin, `P00042, P00043`: several orders are billed together. */
const numbersIn = (origin: string | undefined): string[] =>
  (origin ?? '')
    .split(/[,;]/)
    .map((text) => text.trim())
    .filter((text) => text !== '' && text.length <= 64)
    .slice(0, 20);

/** The keys of a record, each once; at least its own subject, as every event needs one. */
export function recordKeys(
  subject: string,
  given: {
    readonly docno?: string | undefined;
    readonly po?: string | undefined;
    readonly so?: string | undefined;
    readonly payref?: string | undefined;
    readonly peppol?: string | undefined;
    /** The number that the supplier gave: unique for a supplier. */
    readonly supref?: { readonly party: string | undefined; readonly reference: string | undefined };
    /** Other records that it belongs to. */
    readonly subjects?: readonly (string | undefined)[];
  },
): Key[] {
  const { party, reference } = given.supref ?? {};
  const keys = [
    ...keyOf('docno', given.docno),
    ...numbersIn(given.po).flatMap((number) => keyOf('po', number)),
    ...numbersIn(given.so).flatMap((number) => keyOf('so', number)),
    ...keyOf('payref', given.payref),
    ...keyOf('peppol', given.peppol),
    ...(party && reference ? keyOf('supref', `${party}/${reference}`) : []),
    ...(given.subjects ?? []).flatMap((other) => keyOf('subject', other)),
  ];
  const once = new Map(keys.map((key) => [`${key.type}\n${key.value}`, key]));
  return once.size === 0 ? [{ type: 'subject', value: subject }] : [...once.values()].slice(0, 64);
}
