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

const MAX_CHARACTERS = 512 << 20;
/** What an object takes beside its text. */
const CHARACTERS_OF_ONE = 128;

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
  #characters = 0;

  /** `time` reads an instant; `most`: characters that all of them may have. */
  constructor(
    isUsed: (type: string, attribute: string) => boolean,
    time: (text: string) => bigint | string,
    most = MAX_CHARACTERS,
  ) {
    this.#isUsed = isUsed;
    this.#time = time;
    this.#most = most;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Some bytes of memory that they take. */
  get bytes(): number {
    return this.#characters;
  }

  /** Takes an element of `objects`; returns what is wrong with it. Throws `import.invalid` when they are too many to hold. */
  add(given: unknown): string | undefined {
    const { id, type, attributes } = (given ?? {}) as { id?: unknown; type?: unknown; attributes?: unknown };
    if (typeof id !== 'string' || id === '') return 'id: must be text';
    if (typeof type !== 'string' || type === '') return 'type: must be text';
    if (this.#objects.has(id)) return `id: ${JSON.stringify(id.slice(0, 80))} was told before`;
    const read = this.#attributesOf(type, attributes);
    if (typeof read === 'string') return read;
    this.#characters += id.length + CHARACTERS_OF_ONE;
    if (this.#characters > this.#most)
      throw new ClosewatchError(
        'import.invalid',
        `the objects of the log do not fit in memory: ${this.#objects.size} of them take ${Math.round(this.#most / (1 << 20))} MiB; name fewer columns in the map, or split the log`,
      );
    this.#objects.set(id, { type, attributes: read });
    return undefined;
  }

  #attributesOf(type: string, given: unknown): ReadonlyMap<string, readonly Since[]> | string {
    const read = new Map<string, Since[]>();
    if (given === undefined || given === null) return read;
    if (!Array.isArray(given)) return 'attributes: must be a list';
    for (const [i, attribute] of given.entries()) {
      const { name, value, time } = (attribute ?? {}) as { name?: unknown; value?: unknown; time?: unknown };
      if (typeof name !== 'string') return `attributes[${i}].name: must be text`;
      const text = textOf(value);
      if (text === undefined || !this.#isUsed(type, name)) continue;
      const from = time === undefined ? 0n : this.#time(String(time));
      if (typeof from === 'string') return `attributes[${i}].time: ${from}`;
      read.set(name, [...(read.get(name) ?? []), { from, value: text }]);
      this.#characters += text.length + CHARACTERS_OF_ONE;
    }
    for (const values of read.values())
      values.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
    return read;
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
