import { SaxesParser } from 'saxes';
import { ClosewatchError } from '../../../model/errors.ts';
import type { FormatReader } from '../format.ts';
import { rootOf, xmlTextOf } from '../xml-text.ts';
import { detailOf, entryOf, statementOf } from './camt-fields.ts';
import { readBank } from './read.ts';
import type { Detail, Part } from './statement.ts';
import type { XmlNode } from './xml-tree.ts';

/** The messages that are read, by the element below the document. */
const MESSAGES: Readonly<Record<string, 'statement' | 'notification'>> = {
  BkToCstmrStmt: 'statement',
  BkToCstmrDbtCdtNtfctn: 'notification',
};
const STATEMENTS: ReadonlySet<string> = new Set(['Stmt', 'Ntfctn']);
const MAX_DEPTH = 40;
/** Characters of one payment, or of an entry or a statement apart from what it consists of. */
const MAX_CHARACTERS = 4 << 20;
const MAX_DETAILS = 200_000;

const refuse = (what: string): never => {
  throw new ClosewatchError('import.invalid', what);
};

/** Puts elements together and gives statements, entries and payments up as they end, so that no more is held. */
class CamtTree {
  readonly parts: Part[] = [];
  #stack: XmlNode[] = [];
  #kind: 'statement' | 'notification' | undefined;
  #statement = 0;
  #entries = 0;
  #details: Detail[] = [];
  #characters = 0;

  open(tag: string, attributes: Record<string, string>): void {
    const name = tag.slice(tag.indexOf(':') + 1);
    const depth = this.#stack.length;
    if (depth >= MAX_DEPTH) refuse('the document is nested too deeply');
    if (depth === 0 && name !== 'Document') refuse(`the root element is ${name}, not Document`);
    if (depth === 1) {
      this.#kind = Object.hasOwn(MESSAGES, name) ? MESSAGES[name] : undefined;
      if (!this.#kind) refuse(`the document holds ${name}: only camt.053 and camt.054 are read`);
    }
    this.#count(name.length);
    const node: XmlNode = { name, attributes, children: [], text: '' };
    this.#stack.push(node);
  }

  text(text: string): void {
    const node = this.#stack.at(-1);
    if (!node) return;
    this.#count(text.length);
    node.text += text;
  }

  close(): void {
    const node = this.#stack.pop();
    const parent = this.#stack.at(-1);
    if (!node || !parent) return;
    if (node.name === 'TxDtls') this.#payment(node);
    else if (node.name === 'Ntry' && STATEMENTS.has(parent.name)) this.#entry(node);
    else if (STATEMENTS.has(node.name) && this.#stack.length === 2) this.#end(node);
    else parent.children.push(node);
  }

  #count(characters: number): void {
    this.#characters += characters + 16;
    if (this.#characters > MAX_CHARACTERS)
      refuse(
        `statement ${this.#statement + 1}, entry ${this.#entries + 1}: has more than ${MAX_CHARACTERS} characters`,
      );
  }

  #payment(node: XmlNode): void {
    this.#details.push(detailOf(node));
    this.#characters = 0;
    if (this.#details.length > MAX_DETAILS)
      refuse(
        `statement ${this.#statement + 1}, entry ${this.#entries + 1}: has more than ${MAX_DETAILS} payments`,
      );
  }

  #entry(node: XmlNode): void {
    const entry = entryOf(node, ++this.#entries, this.#details);
    this.parts.push({ statement: this.#statement, entry });
    this.#details = [];
    this.#characters = 0;
  }

  #end(node: XmlNode): void {
    const end = statementOf(node, this.#kind ?? 'statement', this.#statement + 1);
    this.parts.push({ statement: this.#statement++, end });
    this.#entries = 0;
    this.#characters = 0;
  }
}

/** The statements (camt.053) or notifications (camt.054) of an ISO 20022 document, of whatever version. */
export async function* camtParts(bytes: AsyncIterable<Buffer>): AsyncGenerator<Part> {
  const parser = new SaxesParser({ xmlns: false });
  const tree = new CamtTree();
  parser.on('opentag', ({ name, attributes }) => tree.open(name, attributes as Record<string, string>));
  parser.on('text', (text) => tree.text(text));
  parser.on('cdata', (text) => tree.text(text));
  parser.on('closetag', () => tree.close());
  parser.on('doctype', () => refuse('the document has a DOCTYPE, which no bank statement has'));
  parser.on('error', (error) => {
    throw error;
  });
  for await (const text of xmlTextOf(bytes, 'document')) {
    parser.write(text);
    yield* tree.parts.splice(0);
  }
  parser.close();
  yield* tree.parts.splice(0);
}

export const camtFormat: FormatReader = {
  format: 'camt',
  title: 'bank statement, ISO 20022 camt.053 or camt.054',
  hasRows: false,
  endings: ['xml', 'camt', 'camt053', 'camt054', 'c53', 'c54'],
  shows: (head) => rootOf(head) === 'Document',
  read: (file, options) => readBank(file, options, camtParts),
};
