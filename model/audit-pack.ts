import { createPublicKey, verify } from 'node:crypto';
import { z } from 'zod';
import {
  type AuditAnchor,
  type AuditFault,
  type AuditLink,
  auditAnchor,
  auditEntry,
  checkChain,
  sha256,
} from './audit.ts';
import { canonicalJson } from './canonical-json.ts';

/** The files of an evidence pack that its check reads; the others are only hashed. */
export const PACK_FILES = {
  manifest: 'manifest.json',
  signature: 'manifest.sig',
  key: 'public-key.pem',
  rows: 'audit.jsonl',
  chain: 'chain.csv',
  anchors: 'anchors.jsonl',
} as const;

/** What a pack says of itself. Its canonical JSON is what is signed. */
export const packManifest = z.strictObject({
  version: z.literal(1),
  about: z.string().describe('an incident, or a span of time'),
  madeAt: z.string(),
  madeBy: z.string(),
  head: z.strictObject({ seq: z.int().min(0), hash: z.string() }),
  rows: z.array(z.int().min(1)).describe('the numbers of the rows that it holds'),
  files: z.record(z.string(), z.string()).describe('SHA-256 of each file'),
});
export type PackManifest = z.infer<typeof packManifest>;

export type Files = Readonly<Record<string, Uint8Array>>;

/** What is wrong with a pack: with a row of its chain, or with a file. */
export type PackFault = AuditFault | { readonly file: string; readonly why: string };

export interface PackCheck {
  readonly fault?: PackFault;
  readonly manifest?: PackManifest;
  /** SHA-256 of the public key (DER) that signed it: compare it with the one that you were given another way. */
  readonly keyFingerprint?: string;
  /** Rows with what they say, of all links of the chain. */
  readonly rows: number;
  readonly links: number;
}

export const manifestText = (manifest: PackManifest): string => canonicalJson(manifest);

export const chainLine = ({ seq, bodyHash, hash }: AuditLink): string => `${seq},${bodyHash},${hash}`;
export const CHAIN_HEADER = 'seq,body_hash,hash';

/** SHA-256 of a public key in its DER form, lower-case hex. Throws on what is no key. */
export const fingerprintOf = (pem: string): string =>
  sha256(createPublicKey(pem).export({ type: 'spki', format: 'der' }));

const text = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes);
const linesOf = (bytes: Uint8Array | undefined): string[] =>
  bytes ? text(bytes).split('\n').filter(Boolean) : [];
const auditLine = z.strictObject({ seq: z.int().min(1), body: z.string() });

/**
 * Checks an evidence pack by itself: the rows and the chain first, so that a row is named where one is to blame, then each file and the
 * signature. `anchors` are heads of the chain that were noted elsewhere; `key` the fingerprint that the signer must have. Reads
 * nothing but the files.
 */
export function checkPack(
  files: Files,
  given: { anchors?: readonly AuditAnchor[]; key?: string } = {},
): PackCheck {
  const none = { rows: 0, links: 0 };
  const wrong = (file: string, why: string): PackCheck => ({ fault: { file, why }, ...none });
  for (const name of Object.values(PACK_FILES)) if (!files[name]) return wrong(name, 'it is not there');
  const bytesOf = (name: string): Uint8Array => files[name] as Uint8Array;
  try {
    const manifest = packManifest.parse(JSON.parse(text(bytesOf(PACK_FILES.manifest))));
    const anchors = linesOf(files[PACK_FILES.anchors]).map((line) => auditAnchor.parse(JSON.parse(line)));
    const bodies = new Map<number, string>();
    let last = 0;
    for (const line of linesOf(files[PACK_FILES.rows])) {
      const { seq, body } = auditLine.parse(JSON.parse(line));
      if (seq <= last)
        return { fault: { seq, fault: 'reordered', why: `it follows row ${last}` }, manifest, ...none };
      bodies.set(seq, body);
      last = seq;
    }
    const check = checkChain([...anchors, ...(given.anchors ?? [])]);
    let links = 0;
    for (const line of linesOf(files[PACK_FILES.chain]).slice(1)) {
      const [seq, bodyHash = '', hash = ''] = line.split(',');
      const body = bodies.get(Number(seq));
      check.add({ seq: Number(seq), bodyHash, hash, ...(body === undefined ? {} : { body }) });
      links += 1;
    }
    const { fault, rows, head } = check.end();
    const counted = { rows: bodies.size, links };
    if (fault) return { fault, manifest, ...counted };
    const missing = manifest.rows.find((seq) => !bodies.has(seq));
    if (missing !== undefined)
      return {
        fault: { seq: missing, fault: 'missing', why: 'the manifest names it' },
        manifest,
        ...counted,
      };
    if (rows !== manifest.head.seq || head !== (rows === 0 ? head : manifest.head.hash))
      return {
        fault: {
          seq: rows + 1,
          fault: 'missing',
          why: `the manifest's chain ends with row ${manifest.head.seq}`,
        },
        manifest,
        ...counted,
      };
    for (const body of bodies.values()) auditEntry.parse(JSON.parse(body));
    const file = fileFault(files, manifest);
    if (file) return { fault: file, manifest, ...counted };
    const pem = text(bytesOf(PACK_FILES.key));
    const keyFingerprint = fingerprintOf(pem);
    if (given.key && given.key !== keyFingerprint)
      return {
        fault: { file: PACK_FILES.key, why: `it is the key ${keyFingerprint}` },
        manifest,
        ...counted,
      };
    const signature = Buffer.from(text(bytesOf(PACK_FILES.signature)).trim(), 'base64');
    if (!verify(null, Buffer.from(manifestText(manifest)), createPublicKey(pem), signature))
      return {
        fault: { file: PACK_FILES.signature, why: 'it is not that of the manifest' },
        manifest,
        ...counted,
      };
    return { manifest, keyFingerprint, ...counted };
  } catch (error) {
    return wrong('the pack', `it cannot be read: ${(error as Error).message.slice(0, 200)}`);
  }
}

/** A file that differs from what the manifest says, is missing, or is not in it. */
function fileFault(files: Files, manifest: PackManifest): PackFault | undefined {
  for (const [file, hash] of Object.entries(manifest.files)) {
    const bytes = files[file];
    if (!bytes) return { file, why: 'it is not there' };
    if (sha256(bytes) !== hash) return { file, why: 'it was altered' };
  }
  const unsigned: readonly string[] = [PACK_FILES.manifest, PACK_FILES.signature];
  const more = Object.keys(files).find((file) => !(file in manifest.files) && !unsigned.includes(file));
  return more === undefined ? undefined : { file: more, why: 'the manifest does not name it' };
}
