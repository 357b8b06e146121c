import { ClosewatchError } from '../../model/errors.ts';
import type { Key } from '../../model/key.ts';
import type { FormatReader, ReadOptions } from './format.ts';
import { bad, type Item } from './item.ts';
import { elementsOf } from './json-elements.ts';
import type { LogFile } from './log-file.ts';
import type { ImportMap } from './map.ts';
import { OcelObjects, textOf } from './ocel-objects.ts';
import { MAX_KEY, type Row } from './row.ts';
import { timeReader } from './times.ts';

type OcelMap = NonNullable<ImportMap['ocel']>;

interface Related {
  readonly id: string;
  readonly type: string;
  readonly qualifier: string;
}

/** The key type of objects of a type that the map does not name: its own letters and digits in lower case. */
function keyTypeOf(type: string): string {
  const plain = type
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');
  return (/^[a-z]/.test(plain) ? plain : `o${plain}`).slice(0, 32);
}

/**
 * The events of an OCEL 2.0 log in JSON (ocel-standard.org), a row each: `event:id`, `event:type`, `event:time`, its
 * attributes by their name; of its case `case:id`, `case:type` and its attributes as `case:<name>`, and of the first
 * object of each related type `<type>:id` and `<type>:<name>`, as they were at the time of the event. Every related object
 * is a key. The file is read twice, for events may come before the objects that they name; the objects are held in memory.
 */
async function* readOcel(file: LogFile, options: ReadOptions): AsyncGenerator<Row | Item> {
  const { map, columns, note } = options;
  if (!map?.ocel)
    throw new ClosewatchError(
      'import.invalid',
      'an OCEL log needs ocel.case in the map: the object type of the case',
    );
  file.readTimes(2);
  const time = timeReader('iso', map.timezone);
  const isUsed = (type: string, name: string): boolean =>
    columns === undefined || columns.has(`case:${name}`) || columns.has(`${type}:${name}`);
  const objects = new OcelObjects(isUsed, time);
  for await (const { path, value } of elementsOf(file.bytes(), 'objects')) {
    const wrong = objects.add(value);
    if (wrong) yield { where: path, result: bad('invalid', wrong) };
  }
  note(`${objects.size} objects were held in memory, some ${Math.ceil(objects.bytes / (1 << 20))} MiB`);
  const unknown = { count: 0, first: '' };
  let number = 0;
  for await (const { path, value } of elementsOf(file.bytes(), 'events'))
    yield rowOf({ number: ++number, where: path, value, ocel: map.ocel, objects, time, unknown });
  if (unknown.count > 0)
    note(
      `${unknown.count} relationships name objects that the file does not hold, such as ${JSON.stringify(unknown.first)}`,
    );
}

interface Told {
  readonly number: number;
  readonly where: string;
  readonly value: unknown;
  readonly ocel: OcelMap;
  readonly objects: OcelObjects;
  readonly time: (text: string) => bigint | string;
  readonly unknown: { count: number; first: string };
}

function rowOf(told: Told): Row {
  const { number, where, ocel, objects } = told;
  const fields: Record<string, string> = Object.create(null);
  const faulty = (problem: string): Row => ({ number, where, fields, problem });
  if (typeof told.value !== 'object' || told.value === null) return faulty('must be an object');
  const event = told.value as Record<string, unknown>;
  for (const name of ['id', 'type', 'time'])
    if (typeof event[name] !== 'string') return faulty(`${name}: must be text`);
  const wrong = readAttributes(event.attributes, fields);
  if (wrong) return faulty(wrong);
  const related = relatedOf(event.relationships, told);
  if (typeof related === 'string') return faulty(related);
  const at = told.time(String(event.time));
  const put = (prefix: string, { id, type }: Related): void => {
    for (const [name, value] of typeof at === 'bigint' ? objects.valuesAt(id, at) : [])
      fields[`${prefix}:${name}`] = value;
    fields[`${prefix}:id`] = id;
    fields[`${prefix}:type`] = type;
  };
  const types = new Set<string>();
  for (const one of related) {
    if (!types.has(one.type)) put(one.type, one);
    types.add(one.type);
  }
  const caseType = [ocel.case].flat().find((type) => types.has(type));
  const ofCase = related.find(({ type }) => type === caseType);
  if (!ofCase) return faulty(`relationships: names no object of type ${[ocel.case].flat().join(', ')}`);
  put('case', ofCase);
  for (const name of ['id', 'type', 'time']) fields[`event:${name}`] = String(event[name]);
  const keys: Key[] = [];
  for (const { id, type } of related) {
    const told = Object.hasOwn(ocel.keys, type) ? ocel.keys[type] : undefined;
    if (told === 'skip') continue;
    if (id.length > MAX_KEY) return faulty(`relationships: an object id is longer than ${MAX_KEY}`);
    keys.push({ type: told ?? keyTypeOf(type), value: id });
  }
  return { number, where, fields, keys };
}

/** Puts the attributes of an event to the fields; returns what is wrong with them. */
function readAttributes(given: unknown, fields: Record<string, string>): string | undefined {
  if (given === undefined || given === null) return undefined;
  if (!Array.isArray(given)) return 'attributes: must be a list';
  for (const [i, attribute] of given.entries()) {
    const { name, value } = (attribute ?? {}) as { name?: unknown; value?: unknown };
    if (typeof name !== 'string') return `attributes[${i}].name: must be text`;
    const text = textOf(value);
    if (text !== undefined) fields[name] = text;
  }
  return undefined;
}

/** The objects that an event names, each once, by qualifier, then as they stand; those that are not there are counted. */
function relatedOf(given: unknown, { objects, unknown }: Told): Related[] | string {
  if (given === undefined || given === null) return [];
  if (!Array.isArray(given)) return 'relationships: must be a list';
  const related = new Map<string, Related>();
  for (const [i, relation] of given.entries()) {
    const { objectId, qualifier } = (relation ?? {}) as { objectId?: unknown; qualifier?: unknown };
    if (typeof objectId !== 'string') return `relationships[${i}].objectId: must be text`;
    const type = objects.typeOf(objectId);
    if (type === undefined) {
      if (unknown.count++ === 0) unknown.first = objectId.slice(0, 80);
      continue;
    }
    const one = { id: objectId, type, qualifier: textOf(qualifier) ?? '' };
    const before = related.get(objectId);
    if (!before || one.qualifier < before.qualifier) related.set(objectId, one);
  }
  return [...related.values()].sort((a, b) =>
    a.qualifier < b.qualifier ? -1 : a.qualifier > b.qualifier ? 1 : 0,
  );
}

export const ocelFormat: FormatReader = {
  format: 'ocel',
  title: 'OCEL 2.0 in JSON',
  hasRows: true,
  endings: ['json', 'jsonocel', 'ocel'],
  shows(head) {
    const text = head.toString();
    return /^\s*\{/.test(text.replace(/^\uFEFF/, '')) && /"(?:objectTypes|eventTypes)"\s*:\s*\[/.test(text);
  },
  read: readOcel,
};
