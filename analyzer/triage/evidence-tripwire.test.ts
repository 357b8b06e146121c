import fc from 'fast-check';
import { expect, test } from 'vitest';
import { acme, exceptionRow } from '../../test/incident-house.ts';
import type { LinkedSpan } from '../incidents/signature.ts';
import { buildPackage, type PackageInput } from './evidence.ts';
import { evidenceMessage } from './prompt.ts';
import { pseudonyms } from './pseudonym.ts';
import { tripwire } from './tripwire.ts';

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const whole = fc.bigInt({ min: 0n, max: 999_999_999_999n });
const amount = fc.oneof(
  whole.map(String),
  fc.tuple(whole, fc.nat(99)).map(([units, cents]) => `${units}.${String(cents).padStart(2, '0')}`),
  whole.map((units) => `-${units}.125000000000000000`),
);
const nanos = fc.bigInt({ min: 0n, max: 4_102_444_800_000_000_000n });
const document = fc
  .tuple(fc.constantFrom('BILL', 'INV', 'PBNK1'), fc.nat(999_999))
  .map(([name, n]) => `${name}/2026/05/${n}`);
const exception = fc.record({
  id: hex(64),
  rule: fc.nat(99).map((n) => `MP-${n}`),
  subject: document,
  amount,
  anchor_ns: nanos.map(String),
  due_ns: nanos.map(String),
  answered_ns: fc.option(nanos.map(String)),
  opened_at: fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }),
  trace_ids: fc.array(hex(32), { maxLength: 3 }),
});
const event = fc.record({
  id: hex(64),
  source: fc
    .tuple(fc.constantFrom('/ocr', '/odoo', 'bank'), fc.nat(9_999))
    .map(([name, n]) => `${name}/${n}`),
  time: nanos.map((at) => new Date(Number(at / 1_000_000n)).toISOString()),
  subject: document,
  partyKey: hex(16),
  actorId: fc.uuid(),
  amount,
});
const span = fc.record({
  traceId: hex(32),
  spanId: hex(16),
  service: fc.oneof(
    fc.constant('tax-engine'),
    hex(8).map((id) => `ocr-${id}`),
    hex(64),
    fc.uuid().map((id) => `pod ${id}`),
  ),
  startNs: nanos.map(String),
  statusMessage: fc
    .tuple(fc.constantFrom(400, 429, 503), document)
    .map(([code, name]) => `${code} refused for ${name}`),
});

test('no evidence of the kind that incidents have trips', () => {
  const pseudonym = pseudonyms('key');
  const evidence = fc.record({
    number: fc.nat(9_999_999).map(String),
    sums: fc.array(amount, { maxLength: 3 }),
    exceptions: fc.array(exception, { minLength: 12, maxLength: 12 }),
    events: fc.array(event, { minLength: 12, maxLength: 12 }),
    spans: fc.array(span, { maxLength: 8 }),
  });
  fc.assert(
    fc.property(evidence, ({ number, sums, exceptions, events, spans }) => {
      const input = {
        incident: {
          ...{ id: 'i1', number, company: acme.key, cause_kind: 'interface-error', cause_key: 'tax-engine' },
          ...{
            severity: 'medium',
            state: 'open',
            opened_at: new Date(0),
            exceptions: 40,
            open_exceptions: 40,
          },
          sums: sums.map((sum, at) => ({ currency: ['EUR', 'IDR', 'IRR'][at], amount: sum })),
        },
        exceptions: exceptions.map((over) => ({ ...exceptionRow(over.id), ...over })),
        events: events.map((over) => ({
          type: 'bill.received',
          ingestPath: 'push',
          currency: 'EUR',
          keys: [],
          attributes: {},
          ...over,
        })),
        spans: spans.map(
          (over): LinkedSpan => ({
            parentSpanId: '',
            name: 'POST /tax',
            statusCode: 'Error',
            attributes: {},
            events: [],
            ...over,
          }),
        ),
        rules: exceptions.map(({ rule }) => ({ rule, kind: 'response', state: 'open', count: 1 })),
        sources: [],
        now: 0n,
      } as unknown as PackageInput;
      expect(tripwire(evidenceMessage(buildPackage(input, pseudonym).items))).toEqual([]);
    }),
    { seed: 4, numRuns: 150 },
  );
});
