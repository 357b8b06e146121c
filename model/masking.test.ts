import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_RULES, Masking, privacyConfig, SECRET_NAMES } from './masking.ts';

const masking = (settings: object = {}): Masking =>
  new Masking(privacyConfig.parse(settings), 'the key of the tests');
const masked = (name: string, value: string, settings: object = {}): string => {
  const one = masking(settings);
  const verdict = one.verdictOf(name);
  return verdict ? one.apply(verdict, value) : value;
};

describe('by name', () => {
  test.each([
    ['http.request.header.authorization', 'Bearer abc', '[redacted]'],
    ['Authorization', 'Basic abc', '[redacted]'],
    ['db.password', 'hunter2', '[redacted]'],
    ['odoo_api_key', 'k', '[redacted]'],
    ['http.request.header.x-api-key', 'k', '[redacted]'],
    ['partner.iban', 'DE89 3704 0044 0532 0130 00', '…3000'],
    ['customer.pan', '4111111111111111', '…1111'],
    ['user.full_name', 'Ada Lovelace', '[redacted]'],
    ['document.number', 'BILL/7', 'BILL/7'],
    ['token_count', '7', '7'],
    ['http.route', '/bills', '/bills'],
  ])('%s: %s is stored as %s', (name, value, stored) => expect(masked(name, value)).toBe(stored));

  test('equal values have equal hashes, which another installation does not have', () => {
    const hash = masked('enduser.id', 'ada');
    expect(hash).toMatch(/^hmac:[0-9a-f]{16}$/);
    expect(masked('enduser.id', 'ada')).toBe(hash);
    expect(masked('enduser.id', 'bob')).not.toBe(hash);
    const other = new Masking(privacyConfig.parse({}), 'another key');
    expect(other.apply(other.verdictOf('enduser.id') as never, 'ada')).not.toBe(hash);
  });

  test('settings go before what is built in; the longest name that fits counts', () => {
    const rules = {
      'enduser.id': { treatment: 'keep' },
      'vendor.*': { class: 'person', treatment: 'redact' },
      'vendor.number': { treatment: 'keep' },
      '*.note': { class: 'free-text', treatment: 'drop' },
    };
    expect(masked('enduser.id', 'ada', { rules })).toBe('ada');
    expect(masked('vendor.name', 'ACME', { rules })).toBe('[redacted]');
    expect(masked('vendor.number', '7', { rules })).toBe('7');
    expect(masking({ rules }).verdictOf('bill.note')?.treatment).toBe('drop');
  });

  test('no setting keeps a secret', () => {
    const keep = { treatment: 'keep' };
    const rules = { '*': undefined, 'db.password': keep, 'a*': keep, '*.token': keep };
    const given = Object.fromEntries(Object.entries(rules).filter(([, rule]) => rule));
    for (const name of ['db.password', 'authorization', 'x.token'])
      expect(masked(name, 'hunter2', { rules: given })).toBe('[redacted]');
  });

  test('what is short is not told by its end', () => {
    for (const value of ['12', '1234', '12345'])
      expect(masked('a.iban', value).length - 1).toBeLessThanOrEqual(value.length / 2);
  });

  test.each(['', 'a*b', '**'])('a rule for %j is refused', (name) => {
    expect(() => privacyConfig.parse({ rules: { [name]: { treatment: 'keep' } } })).toThrow();
  });

  test('names are of a class each', () => {
    expect([...SECRET_NAMES.values()].every(({ treatment }) => treatment === 'redact')).toBe(true);
    expect(DEFAULT_RULES.size).toBeGreaterThan(20);
  });
});

describe('in free text', () => {
  test.each([
    ['GET failed: Authorization: Bearer abcdef123456789', 'GET failed: Authorization: Bearer [redacted]'],
    ['got Set-Cookie: session=abc123; Path=/', 'got Set-Cookie: [redacted]'],
    ['postgres://odoo:hunter2@db:5432/prod is away', 'postgres://odoo:[redacted]@db:5432/prod is away'],
    ['https://x.example/cb?token=abcdef&page=2', 'https://x.example/cb?token=[redacted]&page=2'],
    ['{"password": "hunter2", "user": "ada"}', '{"password": "[redacted]", "user": "ada"}'],
    ['api_key=sk-123456 refused', 'api_key=[redacted] refused'],
    ['cw_abcdefghijklmnopqrstuvwxyz is revoked', '[redacted] is revoked'],
    ['key AKIAIOSFODNN7EXAMPLE', 'key [redacted]'],
    ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig-nature', 'jwt [redacted]'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- end', '[redacted] end'],
    ['bill BILL/7 of 12480.00 EUR was posted', 'bill BILL/7 of 12480.00 EUR was posted'],
    ['the tokenizer took 3 s', 'the tokenizer took 3 s'],
  ])('%s', (text, stored) => expect(masking().scan(text)).toBe(stored));

  test('e-mail addresses, IBANs and cards when they are asked for; what only looks like one stays', () => {
    const text =
      'ada@example.com paid DE89 3704 0044 0532 0130 00 by 4111 1111 1111 1111, order 4111111111111112, DE00123';
    expect(masking().scan(text)).toBe(text);
    const one = masking({ scan: ['email', 'iban', 'card'] });
    expect(one.scan(text)).toMatch(
      /^hmac:[0-9a-f]{16} paid …3000 by …1111, order 4111111111111112, DE00123$/,
    );
    expect(one.counts).toMatchObject({ email: 1, 'bank-account': 1, card: 1, secret: 0 });
  });

  test('any text can be looked through, in a time that goes by its length', () => {
    const all = masking({ scan: ['secret', 'email', 'iban', 'card'] });
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void all.scan(text)));
    for (const piece of [
      'a',
      '@',
      'a@',
      '1 ',
      'token=',
      'http://',
      'DE12 ',
      '-----BEGIN PRIVATE KEY-----',
      'eyJ',
      'bearer ',
    ]) {
      const started = process.cpuUsage();
      all.scan(piece.repeat(200_000 / piece.length));
      const { user } = process.cpuUsage(started);
      expect(user / 1000, piece).toBeLessThan(5_000);
    }
  });
});
