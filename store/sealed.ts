import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { ClosewatchError } from '../model/errors.ts';

/** Seals what has to be read again: AES-256-GCM under a key of this deployment. */
export interface Sealer {
  /** The text, sealed for `about`: it opens for nothing else. */
  seal(text: string, about: string): string;
  /** Throws `config.invalid` when it was sealed under another key, for something else, or was changed. */
  open(sealed: string, about: string): string;
}

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals under a key that is made of the text of `keyText`, which is asked when it is first needed. */
export function createSealer(keyText: () => string): Sealer {
  let key: Buffer | undefined;
  const keyOf = (): Buffer => {
    key ??= Buffer.from(hkdfSync('sha256', keyText(), '', 'closewatch sealed secrets', 32));
    return key;
  };
  return {
    seal(text, about) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, keyOf(), nonce).setAAD(Buffer.from(about));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
    },
    open(sealed, about) {
      const bytes = Buffer.from(sealed, 'base64url');
      const tagAt = NONCE_BYTES + TAG_BYTES;
      try {
        const decipher = createDecipheriv(ALGORITHM, keyOf(), bytes.subarray(0, NONCE_BYTES))
          .setAAD(Buffer.from(about))
          .setAuthTag(bytes.subarray(NONCE_BYTES, tagAt));
        return Buffer.concat([decipher.update(bytes.subarray(tagAt)), decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new ClosewatchError(
          'config.invalid',
          'a signing secret cannot be opened: was it made under another CLOSEWATCH_SECRETS_KEY, or is secrets/secrets-key another?',
          { cause },
        );
      }
    },
  };
}
