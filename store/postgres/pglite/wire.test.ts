import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClientReader, fatal, greeting, query, readAnswer } from './wire.ts';

const frame = (type: string, body: Buffer = Buffer.alloc(0)): Buffer => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
};
const startup = frame('?', Buffer.from('\0\x03\0\0user\0postgres\0\0')).subarray(1);
const parse = frame('P', Buffer.from('\0SELECT 1\0\0\0'));
const bind = frame('B', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0]));
const sync = frame('S');
const ready = (state: string): Buffer => frame('Z', Buffer.from(state));
const done = (tag: string): Buffer => frame('C', Buffer.from(`${tag}\0`));
const notification = frame('A', Buffer.from('\0\0\0\x01channel\0payload\0'));

test('however the bytes are cut, a client is read as the same units', () => {
  const sent = [
    startup,
    query('BEGIN'),
    parse,
    bind,
    sync,
    parse,
    frame('H'),
    query('x'.repeat(300)),
    frame('X'),
  ];
  const bytes = Buffer.concat(sent);
  const units = [query('BEGIN'), Buffer.concat([parse, bind, sync]), Buffer.concat([parse, frame('H')])];
  const expected = [
    { kind: 'startup' },
    ...[...units, query('x'.repeat(300))].map((unit) => ({ kind: 'unit', bytes: unit.toString('latin1') })),
    { kind: 'terminate' },
  ];
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
      const reader = new ClientReader();
      const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const read = at.slice(1).flatMap((end, index) => reader.push(bytes.subarray(at[index], end)));
      const shown = read.map((m) => (m.kind === 'unit' ? { ...m, bytes: m.bytes.toString('latin1') } : m));
      expect(shown).toEqual(expected);
    }),
  );
});

test('a message that is not whole is waited for', () => {
  const reader = new ClientReader();
  reader.push(startup);
  expect(reader.push(Buffer.concat([parse, bind]))).toEqual([]);
  expect(reader.push(sync.subarray(0, 3))).toEqual([]);
  expect(reader.push(sync.subarray(3))).toEqual([
    { kind: 'unit', bytes: Buffer.concat([parse, bind, sync]) },
  ]);
});

test('notifications are taken out of an answer, wherever they stand', () => {
  const answer = readAnswer(
    Buffer.concat([notification, done('NOTIFY'), notification, ready('I'), notification]),
  );
  expect(answer.bytes).toEqual(Buffer.concat([done('NOTIFY'), ready('I')]));
  expect(answer.notifications).toEqual([notification, notification, notification]);
});

test.each([
  ['I', 'idle'],
  ['T', 'open'],
  ['E', 'failed'],
])('ReadyForQuery %s says the transaction is %s', (letter, state) => {
  expect(readAnswer(Buffer.concat([done('SELECT 1'), ready(letter)])).state).toBe(state);
});

test('an answer without ReadyForQuery leaves the exchange open', () => {
  const bytes = frame('1');
  expect(readAnswer(bytes)).toEqual({ bytes, notifications: [], listened: false, state: undefined });
});

test('LISTEN is known by its command tag, not by text that holds the word', () => {
  expect(readAnswer(Buffer.concat([done('LISTEN'), ready('I')])).listened).toBe(true);
  const row = frame('D', Buffer.from('\0\x01\0\0\0\x06LISTEN'));
  expect(readAnswer(Buffer.concat([row, done('SELECT 1'), ready('I')])).listened).toBe(false);
});

test('what we say ourselves is framed as a server frames it', () => {
  expect(readAnswer(greeting(7)).state).toBe('idle');
  const error = fatal('57P01', 'going down');
  expect(error.readInt32BE(1)).toBe(error.length - 1);
  expect(error.toString('latin1', 5)).toBe('SFATAL\0VFATAL\0C57P01\0Mgoing down\0\0');
});
