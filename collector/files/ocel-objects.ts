import { ClosewatchError } from '../../model/errors.ts';

/** A value of an attribute from an instant (epoch nanoseconds) on. */
interface Since {
  readonly from: bigint;
  readonly value: string;
}

interface OcelObject {
  readonly type: string;
  /** By name, oldest first. */
  readonly attributes: ReadonlyMap<string, readonly Since[]>;
}

const MAX_BYTES = 512 << 20;
/** Bytes that an object, and each value of an attribute, takes beside its text, measured. */
const BESIDE = 250;
const NONE: ReadonlyMap<string, readonly Since[]> = new Map();

/** The text without the piece of the file that it was cut from, which V8 would keep with it. */
const own = (text: string): string => Buffer.from(text).toString();

/** A value of OCEL as text; undefined for none. */
export const textOf = (value: unknown): string | undefined => {
  if (value === null || value === undefined) return undefined;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

/** The objects of a log, held in memory for its events: only the attributes that are asked for. */
export class OcelObjects {
  readonly #objects = new Map<string, OcelObject>();
  readonly #isUsed: (type: string, attribute: string) => boolean;
  readonly #time: (text: string) => bigint | string;
  readonly #most: number;
  /** Types and names, each once: a text that was parsed may keep a large piece of the file. */
  readonly #words = new Map<string, string>();
  #bytes = 0;

  /** `time` reads an instant; `most`: bytes that all of them may take. */
  constructor(
    isUsed: (type: string, attribute: string) => boolean,
    time: (text: string) => bigint | string,
    most = MAX_BYTES,
  ) {
    this.#isUsed = isUsed;
    this.#time = time;
    this.#most = most;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Bytes of memory that they take, some. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes an element of `objects`; returns what is wrong with it. Throws `import.invalid` when they are too many to hold. */
  add(given: unknown): string | undefined {
    const { id, type, attributes } = (given ?? {}) as { id?: unknown; type?: unknown; attributes?: unknown };
    if (typeof id !== 'string' || id === '') return 'id: must be text';
    if (typeof type !== 'string' || type === '') return 'type: must be text';
    if (this.#objects.has(id)) return `id: ${JSON.stringify(id.slice(0, 80))} was told before`;
    const read = this.#attributesOf(type, attributes);
    if (typeof read === 'string') return read;
    this.#bytes += id.length + BESIDE;
    if (this.#bytes > this.#most)
      throw new ClosewatchError(
        'import.invalid',
        `the objects of the log do not fit in memory: ${this.#objects.size} of them take ${Math.round(this.#most / (1 << 20))} MiB; name fewer columns in the map, or split the log`,
      );
    this.#objects.set(own(id), { type: this.#word(type), attributes: read });
    return undefined;
  }

  #attributesOf(type: string, given: unknown): ReadonlyMap<string, readonly Since[]> | string {
    if (given === undefined || given === null) return NONE;
    const read = new Map<string, Since[]>();
    if (!Array.isArray(given)) return 'attributes: must be a list';
    for (const [i, attribute] of given.entries()) {
      const { name, value, time } = (attribute ?? {}) as { name?: unknown; value?: unknown; time?: unknown };
      if (typeof name !== 'string') return `attributes[${i}].name: must be text`;
      const text = textOf(value);
      if (text === undefined || !this.#isUsed(type, name)) continue;
      const from = time === undefined ? 0n : this.#time(String(time));
      if (typeof from === 'string') return `attributes[${i}].time: ${from}`;
      read.set(this.#word(name), [...(read.get(name) ?? []), { from, value: own(text) }]);
      this.#bytes += text.length + BESIDE;
    }
    if (read.size === 0) return NONE;
    for (const values of read.values())
      values.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
    return read;
  }

  #word(text: string): string {
    const known = this.#words.get(text);
    if (known !== undefined) return known;
    const word = own(text);
    this.#words.set(word, word);
    return word;
  }

  /** The type of an object; undefined when the log has none of this id. */
  typeOf(id: string): string | undefined {
    return this.#objects.get(id)?.type;
  }

  /** The object's attributes as they were at the instant, by name. */
  *valuesAt(id: string, at: bigint): Iterable<readonly [string, string]> {
    for (const [name, values] of this.#objects.get(id)?.attributes ?? []) {
      const value = values.findLast(({ from }) => from <= at)?.value;
      if (value !== undefined) yield [name, value];
    }
  }
}
