import type { IncomingMessage } from 'node:http';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { ClosewatchError } from '../../model/errors.ts';
import type { LiveSecret, SigningSecrets } from '../../store/postgres/signing-secrets.ts';
import { coversSource, type Sender } from '../../store/postgres/tokens.ts';

/** Why a request is refused for its signature, as it is counted. */
export type SignatureFlaw = 'unsigned' | 'stale-signature' | 'wrong-signature';

/** Who sends, and what its signature has to show. */
export interface Admission {
  readonly sender: Sender;
  /** Nothing of the request is believed before `verify` has returned. */
  readonly mustSign: boolean;
  /** Only the signature lets it in: until it is checked it is a stranger's. */
  readonly isStranger: boolean;
  /**
   * Checks the signature over the body, inflated; undefined for what no signature covers. Returns which sources' events may be in the request: those of a source
   * with secrets only when one of them signed it. Throws `auth.missing`, `auth.invalid`,
   * and `store.unavailable` while a secret that would tell cannot be opened.
   */
  verify(body: Buffer | undefined): (source: string) => boolean;
}

export interface SignaturesDeps {
  readonly authenticate: (request: IncomingMessage) => Promise<Sender>;
  readonly secrets: SigningSecrets;
  readonly onFlaw: (source: string, flaw: SignatureFlaw) => void;
  readonly now: () => Date;
}

/** Standard Webhooks: a signature holds for five minutes before and after. */
const TOLERANCE_SECONDS = 300;

/** The source of `?source=`: where a request without a token says who it is from. */
const namedSource = (request: IncomingMessage): string | null =>
  new URLSearchParams((request.url ?? '').split('?')[1] ?? '').get('source');

/**
 * Admits requests by ingest token, by signature (Standard Webhooks 1.0), or both. A source that has a secret, and what lies
 * below it, takes nothing unsigned, whoever's token comes with it. Without a token only a secret that was made to stand
 * alone counts, and only for the source that it was made for, which the request names as `?source=`.
 */
export function createAdmission(deps: SignaturesDeps): (request: IncomingMessage) => Promise<Admission> {
  const { authenticate, secrets, onFlaw, now } = deps;

  return async (request) => {
    const live = await secrets.live();
    const named = request.headers.authorization === undefined ? namedSource(request) : null;
    const alone = named === null ? [] : live.filter((one) => one.alone && one.source === named);
    const [first] = alone;
    const sender = first ? { tokenId: first.id, source: first.source } : await authenticate(request);
    const required = first ? alone : live.filter((one) => coversSource(one.source, sender.source));
    const below = live.filter((one) => coversSource(sender.source, one.source) && !required.includes(one));

    function verify(body: Buffer | undefined): ReadonlySet<LiveSecret> {
      const flaw = body ? headersFlaw(request, now()) : 'unsigned';
      const signers =
        flaw || !body
          ? []
          : [...required, ...below].filter(
              ({ opened }) => 'secret' in opened && isSigned(request, body, opened.secret),
            );
      for (const { id } of signers) secrets.noteUse(id);
      if (required.length === 0 || required.some((one) => signers.includes(one))) return new Set(signers);
      for (const { opened } of required) if ('error' in opened) throw unopened(opened.error);
      return refuse(flaw ?? 'wrong-signature');
    }

    function refuse(flaw: SignatureFlaw): never {
      onFlaw(sender.source, flaw);
      if (flaw === 'unsigned')
        throw new ClosewatchError(
          'auth.missing',
          'this source signs its requests: webhook-id, webhook-timestamp and webhook-signature are needed',
        );
      const what =
        flaw === 'stale-signature'
          ? 'webhook-timestamp lies more than five minutes from now'
          : 'webhook-signature is of none of the secrets of this source';
      throw new ClosewatchError('auth.invalid', what);
    }

    return {
      sender,
      mustSign: required.length > 0,
      isStranger: first !== undefined,
      verify(body) {
        const signers = verify(body);
        return (source) => {
          const able = live.filter((one) => coversSource(one.source, source));
          return able.length === 0 || able.some((one) => signers.has(one));
        };
      },
    };
  };
}

const unopened = (cause: unknown): ClosewatchError =>
  new ClosewatchError('store.unavailable', 'the signing secret of this source cannot be opened just now', {
    cause,
  });

function headersFlaw({ headers }: IncomingMessage, now: Date): SignatureFlaw | undefined {
  if (!headers['webhook-id'] || !headers['webhook-signature'] || !headers['webhook-timestamp'])
    return 'unsigned';
  const sentAt = Number(headers['webhook-timestamp']);
  const isNear = Math.abs(now.getTime() / 1000 - sentAt) <= TOLERANCE_SECONDS;
  return isNear ? undefined : 'stale-signature';
}

function isSigned({ headers }: IncomingMessage, body: Buffer, secret: string): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}
