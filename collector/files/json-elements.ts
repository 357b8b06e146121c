import { Assembler } from 'stream-json/assembler.js';
import { jsonParser, type parser } from 'stream-json/parser.js';
import { ClosewatchError } from '../../model/errors.ts';
import { checkedUtf8 } from './utf8.ts';

/** An element of an array that is a member of the document's object: `$.events[3]`. Numbers are the text that stands there. */
export interface Element {
  readonly path: string;
  readonly value: unknown;
}

type Token = parser.Token;

const MAX_DEPTH = 64;
const MAX_ELEMENT_CHARACTERS = 16 << 20;
/** Characters that are parsed at a time: where a document breaks is told as exactly. */
const SLICE = 4096;

const OPENS: ReadonlySet<string> = new Set(['startObject', 'startArray']);
const CLOSES: ReadonlySet<string> = new Set(['endObject', 'endArray']);

/** Follows the tokens of one document and puts the elements of the wanted members together. */
class Follower {
  readonly #wanted: string;
  #depth = 0;
  #member = '';
  #index = 0;
  #element: Assembler | undefined;
  /** The wanted member was there, as an array. */
  seen = false;

  constructor(wanted: string) {
    this.#wanted = wanted;
  }

  /** Where reading is. */
  get path(): string {
    if (this.#member === '') return '$';
    return this.#depth > 1 ? `$.${this.#member}[${this.#index}]` : `$.${this.#member}`;
  }

  get isInside(): boolean {
    return this.#depth > 0;
  }

  get isInElement(): boolean {
    return this.#element !== undefined;
  }

  /** Takes the next token; returns the element that it completes. */
  take(token: Token): Element | undefined {
    const { name } = token;
    if (this.#depth === 0 && name !== 'startObject')
      throw new ClosewatchError('import.invalid', '$: must be a JSON object');
    if (this.#depth === 1 && name === 'keyValue') {
      this.#member = token.value;
      this.#index = 0;
      return undefined;
    }
    const isElement = this.#depth === 2 && this.#member === this.#wanted && this.seen;
    if (isElement && !CLOSES.has(name)) this.#element ??= new Assembler({ numberAsString: true });
    if (OPENS.has(name)) this.#open(name);
    else if (CLOSES.has(name)) this.#depth--;
    this.#element?.consume(token);
    if (this.#depth !== 2) return undefined;
    const path = this.path;
    if (name !== 'startArray' && name !== 'keyValue') this.#index++;
    if (this.#element === undefined) return undefined;
    const value: unknown = this.#element.current;
    this.#element = undefined;
    return { path, value };
  }

  #open(name: string): void {
    this.#depth++;
    if (this.#depth > MAX_DEPTH)
      throw new ClosewatchError('import.invalid', `${this.path}: is nested too deeply: ${MAX_DEPTH} levels`);
    if (this.#depth !== 2 || this.#member !== this.#wanted) return;
    if (name !== 'startArray')
      throw new ClosewatchError('import.invalid', `$.${this.#member}: must be an array`);
    this.seen = true;
  }
}

/**
 * The elements of the array under `member` of a document of any size, one after another: no more of it is in memory than
 * one element, of at most 16 Mi characters. Throws `import.invalid` with the JSON path where it cannot be read on, and when
 * there is no such array.
 */
export async function* elementsOf(bytes: AsyncIterable<Buffer>, member: string): AsyncGenerator<Element> {
  const options = { packValues: true, streamValues: false };
  const parse = jsonParser(options);
  const follower = new Follower(member);
  let characters = 0;
  let isFirst = true;
  for await (const piece of checkedUtf8(bytes, ', as JSON is')) {
    const text = isFirst ? piece.toString().replace(/^\uFEFF/, '') : piece.toString();
    isFirst = false;
    for (let at = 0; at < text.length; at += SLICE) {
      const slice = text.slice(at, at + SLICE);
      const tokens = tokensOf(parse, slice, follower);
      for (const token of tokens) {
        const element = follower.take(token);
        if (!element) continue;
        characters = 0;
        yield element;
      }
      // Since the element began; outside of one, since the last token.
      characters = tokens.length > 0 && !follower.isInElement ? 0 : characters + slice.length;
      if (characters > MAX_ELEMENT_CHARACTERS)
        throw new ClosewatchError(
          'import.invalid',
          `${follower.path}: has more than ${MAX_ELEMENT_CHARACTERS} characters`,
        );
    }
  }
  if (follower.isInside)
    throw new ClosewatchError('import.invalid', `${follower.path}: the file ends in the middle`);
  if (!follower.seen) throw new ClosewatchError('import.invalid', `$.${member}: is missing`);
}

function tokensOf(parse: parser.TokenSource, text: string, follower: Follower): readonly Token[] {
  try {
    const parsed = parse(text);
    return typeof parsed === 'object' ? (parsed as { values: Token[] }).values : [];
  } catch (cause) {
    throw new ClosewatchError('import.invalid', `${follower.path}: near here it is no JSON any more`, {
      cause,
    });
  }
}
