import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseJson } from '../../model/json.ts';
import { Masking, privacyConfig } from '../../model/masking.ts';
import { parseInstant } from '../../model/time.ts';
import { judgeEvent } from './event.ts';
import type { Version, Versions } from './versions.ts';

const NOW = parseInstant('2026-06-01T00:00:00Z') ?? 0n;
const judge = (event: unknown, sender = '/odoo/prod') => judgeEvent(event, { sender, now: NOW });

const data = {
  object: { kind: 'bill', docNumber: 'BILL/1', state: 'posted' },
  org: { companyKey: 'acme', period: '2026-05' },
  money: { amount: '34.33634285099345', currency: 'EUR' },
  actor: { actorId: 'u1', actorKind: 'human' },
  keys: [{ type: 'docno', value: 'BILL/1' }],
  lines: [{ qty: 2 }],
  attributes: { colour: 'blue' },
};
const bill = {
  specversion: '1.0',
  id: 'e-1',
  source: '/odoo/prod/1',
  type: 'closewatch.bill.posted.v1',
  time: '2026-05-31T19:00:00.123456789+02:00',
  subject: 'account.move/42',
  data,
};
const accepted = (event: unknown, sender?: string) => {
  const judged = judge(event, sender);
  if (!('accepted' in judged)) throw new Error(JSON.stringify(judged));
  return judged.accepted;
};
const problemOf = (event: unknown): string => {
  const judged = judge(event);
  if (!('refused' in judged)) throw new Error('was accepted');
  const [first] = judged.problems;
  return `${judged.refused} ${first?.where}: ${first?.what}`;
};

test('an event becomes a finance event, exact in time and money', () => {
  expect(accepted(bill).event).toMatchObject({
    id: 'e-1',
    source: '/odoo/prod/1',
    type: 'bill.posted',
    version: 1,
    time: '2026-05-31T17:00:00.123456789Z',
    sequence: '0',
    company: 'acme',
    subject: 'account.move/42',
    ingestPath: 'push',
    docNumber: 'BILL/1',
    state: 'posted',
    period: '2026-05',
    amount: '34.33634285099345',
    currency: 'EUR',
    actorId: 'u1',
    keys: [{ type: 'docno', value: 'BILL/1' }],
    attributes: { colour: 'blue' },
  });
  expect(JSON.parse(accepted(bill).event.data).lines).toEqual([{ qty: 2 }]);
});

test('extensions: trace, flow, correlation, sequence, back-fill', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const more = {
    traceparent,
    flowid: 'ap',
    correlationid: 'c',
    sequence: '12',
    ingestpath: 'backfill',
    companyid: 'acme',
  };
  expect(accepted({ ...bill, ...more }).event).toMatchObject({
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    spanId: '00f067aa0ba902b7',
    flow: 'ap',
    correlationId: 'c',
    sequence: '12',
    ingestPath: 'backfill',
  });
});

test.each([
  ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', true],
  ['cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more', true],
  ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more', false],
  ['ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', false],
  ['00-00000000000000000000000000000000-00f067aa0ba902b7-01', false],
  ['00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01', false],
  ['nonsense', false],
])('traceparent %s names a trace: %s', (traceparent, isOne) => {
  const judged = judge({ ...bill, traceparent });
  expect(judged).toMatchObject({ noTrace: !isOne });
  const { event } = accepted({ ...bill, traceparent });
  expect(event.traceId).toBe(isOne ? '4bf92f3577b34da6a3ce929d0e0e4736' : undefined);
  const heartbeat = { ...bill, type: 'closewatch.flow.heartbeat.v1', data: { completeUpTo: bill.time } };
  expect(judge({ ...heartbeat, companyid: 'acme', traceparent })).toMatchObject({ noTrace: !isOne });
});

test('a type may have several versions: an older one is upgraded to the form of today', () => {
  const total = z.looseObject({ total: z.string(), currency: z.string() });
  const versions: Versions = new Map([
    ['*', new Map([[1, {}]])],
    [
      'bill.posted',
      new Map<number, Version>([
        [
          1,
          {
            upgrade(given) {
              const { total: amount, currency, ...rest } = total.parse(given);
              return { ...rest, money: { amount, currency } };
            },
          },
        ],
        [2, {}],
      ]),
    ],
  ]);
  const { money, ...bare } = data;
  const old = { ...bill, data: { ...bare, total: money.amount, currency: money.currency } };
  const now = { ...bill, type: 'closewatch.bill.posted.v2' };
  const facts = { sender: '/odoo/prod', now: NOW, versions };
  const [first, second] = [judgeEvent(old, facts), judgeEvent(now, facts)];
  if (!('accepted' in first && 'accepted' in second)) throw new Error(JSON.stringify([first, second]));
  expect([first.accepted.event.version, second.accepted.event.version]).toEqual([1, 2]);
  expect({ ...first.accepted.event, version: 2 }).toEqual(second.accepted.event);
  // It is what was sent that counts as the same, not what became of it.
  expect(first.accepted.bodyHash).not.toBe(second.accepted.bodyHash);
  expect(judgeEvent({ ...bill, data }, facts)).toMatchObject({
    refused: 'invalid',
    problems: [{ where: 'data', what: expect.stringContaining('cannot be read as this version') }],
  });
  expect(judgeEvent({ ...bill, type: 'closewatch.bill.posted.v3' }, facts)).toMatchObject({
    refused: 'unknown-version',
    problems: [{ what: 'version v3 of bill.posted is not known; known: v1, v2' }],
  });
  expect(judgeEvent({ ...bill, type: 'closewatch.bill.paid.v2' }, facts)).toMatchObject({
    refused: 'unknown-version',
  });
});

test('the hash is of what is said, not of how it travelled', () => {
  const { bodyHash } = accepted(bill);
  // Binary mode has text only: an extension is the same however it is written.
  const colour = (value: unknown) => accepted({ ...bill, colour: value }).bodyHash;
  expect([colour(7), colour(true)]).toEqual([colour('7'), colour('true')]);
  expect(colour('7')).not.toBe(bodyHash);
  expect(accepted({ ...bill, ingestpath: 'replay', traceparent: '00-x' }).bodyHash).toBe(bodyHash);
  expect(
    accepted({ ...bill, datacontenttype: 'application/json', time: '2026-05-31T17:00:00.123456789Z' })
      .bodyHash,
  ).toBe(bodyHash);
  const encoded = Buffer.from(JSON.stringify(data)).toString('base64');
  expect(accepted({ ...bill, data: undefined, data_base64: encoded }).bodyHash).toBe(bodyHash);
  expect(accepted({ ...bill, subject: 'other' }).bodyHash).not.toBe(bodyHash);
  const line = (qty: string) => accepted(parseJson(JSON.stringify(bill).replace('"qty":2', `"qty":${qty}`)));
  expect(line('9007199254740993').bodyHash).not.toBe(line('9007199254740992').bodyHash);
  expect(line('9007199254740993').event.data).toContain('9007199254740993');
});

describe('refused, with what and where', () => {
  test.each([
    [{ ...bill, id: undefined }, /^invalid id: /],
    [{ ...bill, specversion: '0.3' }, /^invalid specversion: /],
    [{ ...bill, time: '2026-05-31T17:00:00' }, /^invalid time: must be an RFC 3339 instant/],
    [{ ...bill, time: '2026-06-02T00:00:01Z' }, /^invalid time: lies more than 24 hours ahead/],
    [{ ...bill, time: '1969-12-31T23:59:59Z' }, /^invalid time: must lie from 1970/],
    [{ ...bill, type: 'other.bill.posted.v1' }, /^invalid type: must be closewatch/],
    [
      { ...bill, type: 'closewatch.bill.posted.v2' },
      /^unknown-version type: version v2 of bill.posted is not known; known: v1$/,
    ],
    [{ ...bill, type: 'closewatch.Bill.v1' }, /^invalid type: must be <kind>/],
    [{ ...bill, source: '/odoo/production' }, /^source-denied source: /],
    [{ ...bill, companyid: 'other' }, /^invalid companyid: is other/],
    [{ ...bill, company_id: 'acme' }, /^invalid .*company_id/],
    [{ ...bill, ingestpath: 'file' }, /^invalid ingestpath: /],
    [{ ...bill, sequence: '9223372036854775808' }, /^invalid sequence: /],
    [
      { ...bill, data: { ...data, money: { amount: 1.5, currency: 'EUR' } } },
      /^invalid data\.money\.amount: /,
    ],
    [
      { ...bill, data: { ...data, money: { amount: '1', currency: 'euro' } } },
      /^invalid data\.money\.currency: /,
    ],
    [{ ...bill, data: { ...data, keys: [] } }, /^invalid data\.keys: /],
    [{ ...bill, data: { ...data, extra: 1 } }, /^invalid data: .*extra/],
    [{ ...bill, subject: 'a\0b' }, /^invalid .*NUL/],
    [{ ...bill, subject: '\ud800' }, /^invalid .*surrogate/],
    [[bill], /^invalid : an event must be a JSON object/],
  ])('%#', (event, expected) => {
    expect(problemOf(JSON.parse(JSON.stringify(event)))).toMatch(expected);
  });

  const nested = (levels: number): unknown => {
    let deep: unknown = 1;
    for (let i = 0; i < levels; i++) deep = [deep];
    return { ...bill, data: { ...data, lines: [{ deep }] } };
  };
  test.each([61, 3_500, 50_000])('nesting beyond reason: %i levels', (levels) => {
    expect(problemOf(nested(levels))).toMatch(/nested too deeply/);
  });
  test('64 levels are read', () => {
    expect(accepted(nested(60)).event.type).toBe('bill.posted');
  });

  const encoded = (value: unknown, event: object = bill) => ({
    ...event,
    data: undefined,
    data_base64: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64'),
  });
  const beat = { ...bill, type: 'closewatch.flow.heartbeat.v1', companyid: 'acme' };
  test.each([
    [encoded({ ...data, attributes: { colour: 'a\0b' } })],
    [encoded({ ...data, attributes: { colour: '\ud800' } })],
    [encoded({ completeUpTo: '2026-05-31T16:00:00Z', stream: 'a\0b' }, beat)],
  ])('what base64 hides: NUL and half a surrogate pair', (event) => {
    expect(problemOf(event)).toMatch(/^invalid data_base64: text may hold neither NUL/);
  });
  test('what base64 hides: nesting', () => {
    const deep = `${'['.repeat(4_000)}1${']'.repeat(4_000)}`;
    expect(
      problemOf(encoded(JSON.stringify({ ...data, lines: [{}] }).replace('{}', `{"deep":${deep}}`))),
    ).toMatch(/^invalid data_base64: is nested too deeply/);
    expect(problemOf({ ...bill, data_base64: 5 })).toMatch(/^invalid data_base64: /);
  });

  test.each(['12345678901234567890', '2147483648', '1.5', '{"a":1}', '[1]'])('an extension %s', (value) => {
    const text = JSON.stringify({ ...bill, orderno: 0 }).replace('"orderno":0', `"orderno":${value}`);
    expect(problemOf(parseJson(text))).toMatch(/^invalid orderno: must be text, true or false/);
  });

  test('a source, id or subject whose bytes no index takes', () => {
    expect(problemOf({ ...bill, id: '発'.repeat(400) })).toMatch(/^invalid id: may have 1024 bytes/);
    expect(problemOf({ ...bill, subject: '発'.repeat(400) })).toMatch(
      /^invalid subject: may have 1024 bytes/,
    );
    const object = { ...bill.data.object, nativeModel: 'account.move', nativeId: '発'.repeat(400) };
    expect(problemOf({ ...bill, subject: undefined, data: { ...bill.data, object } })).toMatch(
      /^invalid subject: is made of data.object/,
    );
  });

  test('whatever throws while it is judged', () => {
    const odd = {
      ...bill,
      get subject(): string {
        throw new RangeError('no such thing');
      },
    };
    expect(problemOf(odd)).toBe('invalid : cannot be read: no such thing');
  });
});

test('a token speaks for its source and what lies below it', () => {
  expect(accepted(bill, '/odoo/prod/1').event.source).toBe('/odoo/prod/1');
  expect(accepted(bill, '*').event.source).toBe('/odoo/prod/1');
  expect(judge(bill, '/odoo/prod/11')).toMatchObject({ refused: 'source-denied' });
  expect(judge(bill, '/odoo/pro')).toMatchObject({ refused: 'source-denied' });
});

test('a heartbeat declares up to when its source is complete', () => {
  const beat = {
    ...bill,
    type: 'closewatch.flow.heartbeat.v1',
    companyid: 'acme',
    data: { completeUpTo: '2026-05-31T16:00:00Z', stream: 'bills' },
  };
  expect(accepted(beat)).toMatchObject({
    declares: { stream: 'bills', completeUpTo: parseInstant('2026-05-31T16:00:00Z') },
    event: { type: 'flow.heartbeat', company: 'acme' },
  });
  expect(problemOf({ ...beat, companyid: undefined })).toMatch(/must name its company/);
  expect(problemOf({ ...beat, data: { completeUpTo: '2027-01-01T00:00:00Z' } })).toMatch(/completeUpTo/);
});

test('secrets in data and attributes are not kept, and what the settings name; the hash is of what was sent', () => {
  const sent = {
    ...bill,
    data: {
      ...data,
      attributes: { 'ftp.password': 'hunter2', channel: 'edi', 'supplier.phone': '+32 2' },
      control: { token: 'hunter2', note: 'n', steps: [{ name: 'a', secret: 'hunter2' }] },
    },
  };
  const rules = { 'supplier.phone': { treatment: 'redact' }, 'control.note': { treatment: 'drop' } };
  const masking = new Masking(privacyConfig.parse({ rules }), 'key', { usual: false });
  const facts = { sender: '/odoo/prod', now: NOW };
  const [plain, masked] = [judgeEvent(sent, facts), judgeEvent(sent, { ...facts, masking })];
  if ('refused' in plain || 'refused' in masked) throw new Error('refused');
  expect(JSON.stringify(plain.accepted.event)).toContain('hunter2');
  expect(JSON.stringify(masked.accepted.event)).not.toContain('hunter2');
  expect(masked.accepted.event.attributes).toEqual({
    'ftp.password': '[redacted]',
    channel: 'edi',
    'supplier.phone': '[redacted]',
  });
  expect(JSON.parse(masked.accepted.event.data)).toMatchObject({
    control: { token: '[redacted]', steps: [{ name: 'a', secret: '[redacted]' }] },
  });
  expect(masked.accepted.event.data).not.toContain('"note"');
  expect(masked.accepted.bodyHash).toBe(plain.accepted.bodyHash);
});
