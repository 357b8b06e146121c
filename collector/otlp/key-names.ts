import type { AttributesReader } from './attributes.ts';

/** What attributes are looked for by their names; found by the bytes of a name, without making a text of it. */
export class AttributeNames<Meaning> {
  /** By length: most names are told apart by it. */
  readonly #byLength: (Named<Meaning>[] | undefined)[] = [];
  readonly #prefixes: Named<Meaning>[];

  /** A name that ends in `*` stands for all that begin so. */
  constructor(names: Iterable<readonly [name: string, meaning: Meaning]>) {
    const all = [...names].map(([name, meaning]) => ({ bytes: Buffer.from(name), meaning }));
    const isPrefix = ({ bytes }: Named<Meaning>): boolean => bytes.at(-1) === STAR;
    this.#prefixes = all
      .filter(isPrefix)
      .map(({ bytes, meaning }) => ({ bytes: bytes.subarray(0, -1), meaning }));
    for (const one of all)
      if (!isPrefix(one))
        this.#byLength[one.bytes.length] = [...(this.#byLength[one.bytes.length] ?? []), one];
  }

  /** What the name in these bytes means; undefined for one that is not looked for. */
  meaningOf(data: Uint8Array, start: number, end: number): Meaning | undefined {
    for (const one of this.#byLength[end - start] ?? NONE)
      if (isAt(data, start, one.bytes)) return one.meaning;
    for (const one of this.#prefixes)
      if (end - start > one.bytes.length && isAt(data, start, one.bytes)) return one.meaning;
    return undefined;
  }

  /** Calls `found` for those of the collected attributes that are looked for, in the order in which they were sent. */
  find(attributes: AttributesReader, found: (meaning: Meaning, index: number) => void): void {
    for (let index = 0; index < attributes.count; index++) {
      const meaning = attributes.meaningOf(index, this);
      if (meaning !== undefined) found(meaning, index);
    }
  }
}

interface Named<Meaning> {
  readonly bytes: Buffer;
  readonly meaning: Meaning;
}

const STAR = 0x2a;
const NONE: readonly never[] = [];

/** Names of one length mostly differ in their last letter, so it is compared first. */
function isAt(data: Uint8Array, start: number, bytes: Buffer): boolean {
  for (let i = bytes.length - 1; i >= 0; i--) if (data[start + i] !== bytes[i]) return false;
  return true;
}
