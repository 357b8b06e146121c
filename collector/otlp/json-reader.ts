import { MalformedRequest } from './wire.ts';

const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const DIGIT_9 = 0x39;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const ARRAY = 0x5b;
const SMALL_N = 0x6e;
const OBJECT = 0x7b;
/** The code of a closing bracket is that of the opening one and 2. */
const CLOSING = 2;
/** Values that nobody asks for may be nested so deep. */
const MAX_SKIPPED = 500;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORDS: readonly [word: string, value: boolean | null][] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

/** A value that holds no other. A whole number that a double cannot hold is its digits. */
export type Scalar = string | number | boolean | null;

/**
 * Reads a JSON text (RFC 8259) from front to back and keeps nothing of it: no objects, and no names, of which hostile
 * text can hold millions. Throws `MalformedRequest` for what is no JSON.
 */
export class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Enters the object that comes next; false when another value does. Then, for each `nextMember`, its `name` and its value. */
  enterObject(): boolean {
    return this.#enter(OBJECT);
  }

  enterArray(): boolean {
    return this.#enter(ARRAY);
  }

  /** Goes on to the next member; false, and out of the object, when there is none. */
  nextMember(first: boolean): boolean {
    return this.#next(first, OBJECT + CLOSING);
  }

  nextItem(first: boolean): boolean {
    return this.#next(first, ARRAY + CLOSING);
  }

  /** The name of the member, whose value comes next. */
  name(): string {
    if (this.#peek() !== QUOTE) throw this.#unexpected();
    const name = this.#string();
    if (this.#peek() !== COLON) throw this.#unexpected();
    this.#at++;
    return name;
  }

  /** Passes over null, if that comes next. */
  skipNull(): boolean {
    if (this.#peek() !== SMALL_N || !this.#text.startsWith('null', this.#at)) return false;
    this.#at += 4;
    return true;
  }

  /** The value that comes next; undefined, and nothing read, when it is an object or an array. */
  scalar(): Scalar | undefined {
    const code = this.#peek();
    if (code === QUOTE) return this.#string();
    if (code === OBJECT || code === ARRAY) return undefined;
    if (code > DIGIT_9) return this.#word();
    NUMBER.lastIndex = this.#at;
    const digits = NUMBER.exec(this.#text)?.[0];
    if (digits === undefined) throw this.#unexpected();
    this.#at += digits.length;
    const value = Number(digits);
    return Number.isSafeInteger(value) || !/^-?\d+$/.test(digits) ? value : digits;
  }

  /** Passes over the value that comes next. */
  skip(depth = 0): void {
    if (depth > MAX_SKIPPED)
      throw new MalformedRequest('too-deep', `a value is nested deeper than ${MAX_SKIPPED} levels`);
    if (this.enterObject()) {
      for (let first = true; this.nextMember(first); first = false) {
        this.name();
        this.skip(depth + 1);
      }
    } else if (this.enterArray()) {
      for (let first = true; this.nextItem(first); first = false) this.skip(depth + 1);
    } else this.scalar();
  }

  /** Checks that nothing comes after the value that was read. */
  end(): void {
    if (!Number.isNaN(this.#peek())) throw this.#unexpected();
  }

  #word(): boolean | null {
    for (const [word, value] of WORDS) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    throw this.#unexpected();
  }

  /** The code of the next character that is no white space; NaN at the end. */
  #peek(): number {
    const text = this.#text;
    let code = text.charCodeAt(this.#at);
    while (code === SPACE || code === LINE_FEED || code === RETURN || code === TAB)
      code = text.charCodeAt(++this.#at);
    return code;
  }

  #enter(bracket: number): boolean {
    if (this.#peek() !== bracket) return false;
    this.#at++;
    return true;
  }

  #next(first: boolean, bracket: number): boolean {
    const code = this.#peek();
    if (code === bracket) {
      this.#at++;
      return false;
    }
    if (first) return true;
    if (code !== COMMA) throw this.#unexpected();
    this.#at++;
    return true;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let escaped = false;
    let at = start;
    for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(++at)) {
      if (code === BACKSLASH) {
        escaped = true;
        at++;
      } else if (!(code >= SPACE)) {
        this.#at = at;
        throw this.#unexpected();
      }
    }
    this.#at = at + 1;
    return escaped ? this.#unescaped(start - 1, at + 1) : text.slice(start, at);
  }

  #unescaped(start: number, end: number): string {
    try {
      return JSON.parse(this.#text.slice(start, end));
    } catch {
      this.#at = start;
      throw this.#unexpected();
    }
  }

  #unexpected(): MalformedRequest {
    const what = this.#at < this.#text.length ? `character ${this.#at}` : 'its end';
    return new MalformedRequest('json', `the body is no JSON: not understood from ${what}`);
  }
}
