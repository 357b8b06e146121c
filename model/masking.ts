import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { isCard, isIban } from './account-numbers.ts';

/** What a value is, as far as its protection goes. */
export const MASK_CLASSES = [
  'secret',
  'bank-account',
  'card',
  'tax-id',
  'person',
  'email',
  'free-text',
] as const;
export type MaskClass = (typeof MASK_CLASSES)[number];

/**
 * What is done with a value: `redact` leaves `[redacted]`, `hash` a keyed hash by which equal values stay equal, `mask` its last
 * four characters, `scan` all but what is found in it (`scan` of the settings), `drop` nothing, not even the name.
 */
export const TREATMENTS = ['keep', 'redact', 'hash', 'mask', 'scan', 'drop'] as const;
export type Treatment = (typeof TREATMENTS)[number];

/** What free text is searched for. */
export const SCANS = ['secret', 'email', 'iban', 'card'] as const;
export type Scan = (typeof SCANS)[number];

const rule = z.strictObject({
  class: z.enum(MASK_CLASSES).default('person'),
  treatment: z.enum(TREATMENTS),
});

/** What `collector.yaml` says of the protection of values. */
export const privacyConfig = z
  .strictObject({
    rules: z
      .record(
        z
          .string()
          .min(1)
          .max(255)
          .regex(/^\*?[^*]+\*?$/, 'is a name, or one that begins or ends with *'),
        rule,
      )
      .default({})
      .describe(
        'By attribute: a name, or the beginning or end of one with *; the longest that fits counts, before those built in',
      ),
    scan: z
      .array(z.enum(SCANS))
      .default(['secret'])
      .describe(
        'What is taken out of free text: log bodies, messages of statuses and exceptions, addresses, statements',
      ),
  })
  .describe('Protection of values, before anything is stored');
export type PrivacyConfig = z.infer<typeof privacyConfig>;

const SECRET = { class: 'secret', treatment: 'redact' } as const;
const SCANNED = { class: 'free-text', treatment: 'scan' } as const;
const rules = (names: string, what: { class: MaskClass; treatment: Treatment }) =>
  names.split(' ').map((name) => [name, what] as const);

/** Names that hold secrets: always redacted, whatever the settings say. */
export const SECRET_NAMES: ReadonlyMap<string, { class: MaskClass; treatment: Treatment }> = new Map(
  rules(
    'authorization *.authorization proxy-authorization *.proxy-authorization cookie *.cookie set-cookie *.set-cookie ' +
      'password *.password *_password passwd *.passwd *.pwd secret *.secret *_secret *.client_secret *.access_token *.refresh_token *.id_token ' +
      'token *.token *_token api_key *.api_key *_api_key *.api-key apikey *.apikey *x-api-key *.private_key *.secret_key *.signature ' +
      '*.webhook-signature',
    SECRET,
  ),
);

/** What else is protected when the settings say nothing of it. */
export const DEFAULT_RULES: ReadonlyMap<string, { class: MaskClass; treatment: Treatment }> = new Map([
  ...rules('iban *.iban *_iban *.account_number *.bank_account', {
    class: 'bank-account',
    treatment: 'mask',
  }),
  ...rules('card_number *.card_number card.number *.card.number *.pan', { class: 'card', treatment: 'mask' }),
  ...rules('vat *.vat *.vat_number *.tax_id *.tax_number *.ssn', { class: 'tax-id', treatment: 'mask' }),
  ...rules('enduser.id user.id', { class: 'person', treatment: 'hash' }),
  ...rules('user.name user.full_name *.full_name *.phone', { class: 'person', treatment: 'redact' }),
  ...rules('email *.email', { class: 'email', treatment: 'hash' }),
  ...rules(
    'exception.message exception.stacktrace error.message db.statement db.query.text db.connection_string url.full url.query http.url http.target',
    SCANNED,
  ),
]);

/** How values of one name are protected. */
export interface Verdict {
  /** Its place in `Masking.verdicts`. */
  readonly index: number;
  readonly class: MaskClass;
  readonly treatment: Exclude<Treatment, 'keep'>;
}

export type MaskCounts = Record<MaskClass, number>;
export const noMasks = (): MaskCounts =>
  Object.fromEntries(MASK_CLASSES.map((name) => [name, 0])) as MaskCounts;

const REDACTED = '[redacted]';
const MAX_NAMES = 10_000;

/** Protects values by the names of their attributes, and free text by what is found in it. */
export class Masking {
  readonly verdicts: Verdict[] = [];
  /** Values that were changed, by class, since this was last set to nothing. */
  counts: MaskCounts = noMasks();
  readonly #own: Patterns;
  readonly #secret = new Patterns(SECRET_NAMES);
  readonly #usual: Patterns;
  readonly #known = new Map<string, Verdict | undefined>();
  readonly #scans: ReadonlySet<Scan>;
  readonly #key: string;

  /** `key` makes the hashes: of another installation they differ. `usual`: are the rules built in for telemetry followed? */
  constructor(config: PrivacyConfig, key: string, { usual = true }: { usual?: boolean } = {}) {
    this.#usual = new Patterns(usual ? DEFAULT_RULES : new Map());
    this.#own = new Patterns(new Map(Object.entries(config.rules)));
    this.#scans = new Set(config.scan);
    this.#key = key;
  }

  /** How values of the name are protected; undefined: they are kept. */
  verdictOf(name: string): Verdict | undefined {
    if (this.#known.has(name)) return this.#known.get(name);
    const lower = name.toLowerCase();
    const secret = this.#secret.find(lower);
    const own = this.#own.find(lower);
    const found = secret && own?.treatment !== 'drop' ? secret : (own ?? this.#usual.find(lower));
    let verdict: Verdict | undefined;
    if (found && found.treatment !== 'keep') {
      verdict = { index: this.verdicts.length, class: found.class, treatment: found.treatment };
      this.verdicts.push(verdict);
    }
    if (this.#known.size >= MAX_NAMES) this.#known.clear();
    this.#known.set(name, verdict);
    return verdict;
  }

  /** Does nothing of the value of the name reach anybody? */
  hides(name: string): boolean {
    const treatment = this.verdictOf(name)?.treatment;
    return treatment !== undefined && treatment !== 'scan';
  }

  /** The value as it may be stored. */
  apply(verdict: Verdict, value: string): string {
    if (value === '') return value;
    if (verdict.treatment === 'scan') return this.scan(value);
    this.counts[verdict.class]++;
    if (verdict.treatment === 'hash') return this.#hash(value);
    return verdict.treatment === 'mask' ? lastFour(value) : REDACTED;
  }

  /** A JSON value of which the texts are protected by their paths, `party.iban`; the same one when nothing is to be protected. */
  applyDeep(value: unknown, path = ''): unknown {
    if (typeof value === 'string') {
      const verdict = path === '' ? undefined : this.verdictOf(path);
      return verdict === undefined
        ? value
        : verdict.treatment === 'drop'
          ? undefined
          : this.apply(verdict, value);
    }
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) {
      const made = value.map((one) => this.applyDeep(one, path));
      return made.some((one, i) => one !== value[i]) ? made.filter((one) => one !== undefined) : value;
    }
    const entries = Object.entries(value);
    const made = entries.map(
      ([name, one]) => [name, this.applyDeep(one, path === '' ? name : `${path}.${name}`)] as const,
    );
    if (made.every(([, one], i) => one === entries[i]?.[1])) return value;
    return Object.fromEntries(made.filter(([, one]) => one !== undefined));
  }

  /** Free text without what is searched for. */
  scan(text: string): string {
    let out = text;
    if (this.#scans.has('secret') && MAYBE_SECRET.test(text))
      for (const [pattern, replacement] of SECRETS)
        out = this.#replace(out, 'secret', pattern, () => replacement);
    if (this.#scans.has('email') && text.includes('@'))
      out = this.#replace(out, 'email', EMAIL, (found) => this.#hash(found));
    if (this.#scans.has('iban'))
      out = this.#replace(out, 'bank-account', IBAN, (found) => (isIban(found) ? lastFour(found) : found));
    if (this.#scans.has('card'))
      out = this.#replace(out, 'card', CARD, (found) => (isCard(found) ? lastFour(found) : found));
    return out;
  }

  #replace(text: string, of: MaskClass, pattern: RegExp, by: (found: string) => string): string {
    return text.replace(pattern, (found: string, ...groups: unknown[]) => {
      const made = by(found);
      if (made === found) return found;
      this.counts[of]++;
      return made.replace('$1', typeof groups[0] === 'string' ? groups[0] : '');
    });
  }

  #hash(value: string): string {
    return `hmac:${createHmac('sha256', this.#key).update(value).digest('hex').slice(0, 16)}`;
  }
}

/** At most half of it, so that short values are not told. */
function lastFour(value: string): string {
  const kept = value.replace(/[\s-]/g, '');
  return `…${kept.slice(Math.max(kept.length - 4, Math.ceil(kept.length / 2)))}`;
}

interface What {
  readonly class: MaskClass;
  readonly treatment: Treatment;
}

/** Names, beginnings and ends of names; of several that fit a whole name counts first, then the longest. */
class Patterns {
  readonly #whole = new Map<string, What>();
  readonly #parts: {
    readonly text: string;
    readonly at: 'start' | 'end' | 'anywhere';
    readonly what: What;
  }[] = [];

  constructor(patterns: ReadonlyMap<string, What>) {
    for (const [name, what] of patterns) {
      const text = name.toLowerCase().replaceAll('*', '');
      const [before, after] = [name.startsWith('*'), name.endsWith('*')];
      if (!before && !after) this.#whole.set(text, what);
      else this.#parts.push({ text, at: before && after ? 'anywhere' : before ? 'end' : 'start', what });
    }
    this.#parts.sort((a, b) => b.text.length - a.text.length);
  }

  find(name: string): What | undefined {
    const whole = this.#whole.get(name);
    if (whole) return whole;
    return this.#parts.find(({ text, at }) =>
      at === 'start' ? name.startsWith(text) : at === 'end' ? name.endsWith(text) : name.includes(text),
    )?.what;
  }
}

/** Most text has nothing of this; then it is not looked at closer. */
const MAYBE_SECRET =
  /bearer|cookie|basic |passw|pwd|secret|token|key|signature|:\/\/|cw_|whsec_|AKIA|eyJ|BEGIN /i;
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED],
  [/\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}/gi, `$1${REDACTED}`],
  [/\b([a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@]{0,128}:)[^\s/@]{1,256}(?=@)/gi, `$1${REDACTED}`],
  [
    /((?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signature)["']?\s{0,3}[=:]\s{0,3}["']?)(?!\[redacted\])[^\s"',;&]{3,}/gi,
    `$1${REDACTED}`,
  ],
  [/\b((?:set-)?cookie["']?\s{0,3}[=:]\s{0,3}["']?)[^\r\n"']{3,4096}/gi, `$1${REDACTED}`],
  [/\b(?:cw_|whsec_)[A-Za-z0-9_+/=-]{16,}/g, REDACTED],
  [/\bAKIA[0-9A-Z]{16}\b/g, REDACTED],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}/g, REDACTED],
];
const EMAIL = /[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g;
const IBAN = /\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{1,4}){3,8}\b/g;
const CARD = /\b\d(?:[ -]?\d){11,18}\b/g;
