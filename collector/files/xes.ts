import type { Readable } from 'node:stream';
import { SaxesParser } from 'saxes';
import { ClosewatchError } from '../../model/errors.ts';
import type { FormatReader } from './format.ts';
import type { Row } from './row.ts';
import { rootOf, xmlTextOf } from './xml-text.ts';

const ATTRIBUTES = new Set([
  'string',
  'date',
  'int',
  'float',
  'boolean',
  'id',
  'list',
  'container',
  'values',
]);
const MAX_DEPTH = 32;
const MAX_PENDING = 1_000_000;

type Fields = Record<string, string>;
const empty = (): Fields => Object.create(null);

/**
 * The events of an XES log (IEEE 1849-2016): attributes by their key, those of the trace as `case:<key>`, nested ones as
 * `outer.inner`. Attributes of the log, its globals, classifiers and extensions are left out.
 */
export async function* readXes(bytes: Readable): AsyncGenerator<Row> {
  const parser = new SaxesParser({ xmlns: false });
  const rows: Row[] = [];
  let number = 0;
  let path: string[] = [];
  let trace: Fields | undefined;
  let event: Fields | undefined;
  let events: Fields[] = [];
  const keys: string[] = [];
  let ignored = 0;

  parser.on('opentag', ({ name, attributes }) => {
    const local = name.slice(name.indexOf(':') + 1);
    path.push(local);
    if (path.length > MAX_DEPTH)
      throw new ClosewatchError('import.invalid', 'the XES log is nested too deeply');
    if (path.length === 1 && local !== 'log')
      throw new ClosewatchError('import.invalid', `the root element is ${local}, not log`);
    if (ignored > 0 || ['global', 'classifier', 'extension'].includes(local)) ignored++;
    else if (local === 'trace') trace = empty();
    else if (local === 'event') event = empty();
    else if (ATTRIBUTES.has(local)) {
      if (local !== 'values') keys.push(String(attributes.key ?? ''));
      const value = attributes.value;
      const into = event ?? trace;
      if (into && value !== undefined) into[keys.join('.')] = String(value);
    }
  });
  parser.on('closetag', ({ name }) => {
    const local = name.slice(name.indexOf(':') + 1);
    path = path.slice(0, -1);
    if (ignored > 0) ignored--;
    else if (local === 'event') {
      if (event) events.push(event);
      event = undefined;
      if (events.length > MAX_PENDING)
        throw new ClosewatchError('import.invalid', 'a trace has too many events');
      if (!trace) flush();
    } else if (local === 'trace') {
      flush();
      trace = undefined;
    } else if (ATTRIBUTES.has(local) && local !== 'values') keys.pop();
  });
  const flush = (): void => {
    for (const fields of events) {
      for (const [key, value] of Object.entries(trace ?? {})) fields[`case:${key}`] = value;
      rows.push({ number: ++number, fields });
    }
    events = [];
  };
  parser.on('error', (error) => {
    throw error;
  });

  for await (const text of xmlTextOf(bytes, 'XES log')) {
    parser.write(text);
    yield* rows.splice(0);
  }
  parser.close();
  yield* rows.splice(0);
}

export const xesFormat: FormatReader = {
  format: 'xes',
  title: 'XES',
  hasRows: true,
  endings: ['xes'],
  shows: (head) => rootOf(head) === 'log',
  read: (file) => readXes(file.bytes()),
};
