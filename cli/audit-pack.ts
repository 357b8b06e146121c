import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { zipSync } from 'fflate';
import type { AuditAnchor } from '../model/audit.ts';
import { type AuditEntry, type AuditRow, auditEntry, GENESIS, sha256 } from '../model/audit.ts';
import { CHAIN_HEADER, chainLine, manifestText, PACK_FILES, type PackManifest } from '../model/audit-pack.ts';

/** What a pack is made of. */
export interface PackContent {
  readonly about: string;
  readonly madeAt: Date;
  readonly madeBy: string;
  /** Every row of the chain, in order, and which of them the pack tells in full. */
  readonly rows: AsyncIterable<AuditRow & { readonly isToTell: boolean }>;
  readonly anchors: readonly AuditAnchor[];
  /** JSON documents by file name, and tables. */
  readonly documents: Readonly<Record<string, unknown>>;
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
}

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The Ed25519 key of a deployment whose secret is this (32 bytes, base64url). */
const keyOf = (secret: string) =>
  createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519, Buffer.from(secret, 'base64url')]),
    format: 'der',
    type: 'pkcs8',
  });

/** The public key of a deployment, as PEM. */
export const publicKeyOf = (secret: string): string =>
  createPublicKey(keyOf(secret)).export({ type: 'spki', format: 'pem' }).toString();

/** An evidence pack: a zip that says what happened and proves that nothing in it was altered, signed by the deployment's key. */
export async function packOf(content: PackContent, secret: string): Promise<Uint8Array> {
  const told: AuditRow[] = [];
  const chain = [CHAIN_HEADER];
  let head = { seq: 0, hash: GENESIS };
  for await (const { isToTell, ...row } of content.rows) {
    if (isToTell) told.push(row);
    chain.push(chainLine(row));
    head = { seq: row.seq, hash: row.hash };
  }
  const entries = told.map(({ body }) => auditEntry.parse(JSON.parse(body)));
  const texts: Record<string, string> = {
    [PACK_FILES.rows]: lines(told.map(({ seq, body }) => JSON.stringify({ seq, body }))),
    [PACK_FILES.chain]: lines(chain),
    [PACK_FILES.anchors]: lines(content.anchors.map((anchor) => JSON.stringify(anchor))),
    [PACK_FILES.key]: publicKeyOf(secret),
    'audit.csv': csv(entries.map(auditColumns)),
    'index.html': page(content, entries, head),
    ...Object.fromEntries(
      Object.entries(content.documents).map(([name, value]) => [
        name,
        `${JSON.stringify(value, undefined, 2)}\n`,
      ]),
    ),
    ...Object.fromEntries(Object.entries(content.tables).map(([name, rows]) => [name, csv(rows)])),
  };
  const manifest: PackManifest = {
    version: 1,
    about: content.about,
    madeAt: content.madeAt.toISOString(),
    madeBy: content.madeBy,
    head,
    rows: told.map(({ seq }) => seq),
    files: Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, sha256(text)])),
  };
  const signature = sign(null, Buffer.from(manifestText(manifest)), keyOf(secret)).toString('base64');
  const all = {
    ...texts,
    [PACK_FILES.manifest]: manifestText(manifest),
    [PACK_FILES.signature]: `${signature}\n`,
  };
  const bytes = new TextEncoder();
  return zipSync(Object.fromEntries(Object.entries(all).map(([name, text]) => [name, bytes.encode(text)])));
}

const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('');

const auditColumns = (entry: AuditEntry) => ({
  seq: entry.seq,
  at: entry.at,
  recorded_at: entry.recordedAt,
  actor: entry.actor.id,
  kind: entry.actor.kind,
  roles: entry.actor.roles.join(' '),
  company: entry.company,
  entity: entry.entity,
  entity_id: entry.entityId,
  change: entry.change,
  state: entry.state ?? '',
  data: JSON.stringify(entry.data),
});

/** RFC 4180; a cell that a spreadsheet would take for a formula gets an apostrophe before it. */
function csv(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const [first] = rows;
  if (!first) return '';
  const names = Object.keys(first);
  const cell = (value: unknown): string => {
    const text =
      value === null || value === undefined
        ? ''
        : typeof value === 'object'
          ? JSON.stringify(value)
          : `${value}`;
    const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [names, ...rows.map((row) => names.map((name) => row[name]))]
    .map((row) => `${row.map(cell).join(',')}\r\n`)
    .join('');
}

const html = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const STYLE = `:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}body{max-width:72rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #8885}
td.data{overflow-wrap:anywhere;font-size:13px}code{font-size:13px;overflow-wrap:anywhere}.scroll{overflow-x:auto}`;

/** The pack for a person with a browser: no script, nothing from elsewhere. */
function page(
  { about, madeAt, madeBy, tables }: PackContent,
  entries: readonly AuditEntry[],
  head: { seq: number; hash: string },
): string {
  const rows = entries.map(
    ({ seq, at, actor, change, entity, entityId, state, data }) =>
      `<tr><td>${seq}</td><td>${html(at)}</td><td>${html(actor.id)}<br><small>${html([actor.kind, ...actor.roles].join(', '))}</small></td><td>${html(change)}${state ? ` → ${html(state)}` : ''}</td><td>${html(entity)}<br><small>${html(entityId)}</small></td><td class="data">${html(JSON.stringify(data))}</td></tr>`,
  );
  const counts = Object.entries(tables).map(([name, some]) => `<li>${html(name)}: ${some.length} rows</li>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Evidence: ${html(about)}</title><style>${STYLE}</style></head><body>
<h1>Evidence: ${html(about)}</h1>
<p>Made ${html(madeAt.toISOString())} by ${html(madeBy)}. The audit chain had ${head.seq} rows then; its head was <code>${head.hash}</code>.</p>
<p>Check it without Closewatch's databases: <code>closewatch audit verify THIS.zip</code>.</p>
<ul>${counts.join('')}</ul>
<h2>Who decided what</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Decisions"><table><thead><tr><th scope="col">Row</th><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">On what</th><th scope="col">Details</th></tr></thead>
<tbody>${rows.join('\n') || '<tr><td colspan="6">Nobody decided anything.</td></tr>'}</tbody></table></div>
</body></html>
`;
}
