import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from './canonical-json.ts';
import { PRINCIPAL_KINDS } from './principal.ts';

/** Who did it, as they were then: a principal, an account of the machine by its command line, or the program itself. */
export const auditActor = z.strictObject({
  id: z.string(),
  kind: z.enum([...PRINCIPAL_KINDS, 'operator', 'system']),
  roles: z.array(z.string()),
});
export type AuditActor = z.infer<typeof auditActor>;

/** What a row of the audit chain says. Its canonical JSON is what is hashed. */
export const auditEntry = z.strictObject({
  seq: z.int().min(1),
  at: z.string().describe('when it happened, as the program saw it'),
  recordedAt: z.string().describe('when it was written, by the clock of the database'),
  actor: auditActor,
  entity: z.string(),
  entityId: z.string(),
  company: z.string().describe('empty or * for what belongs to no single company'),
  change: z.string().describe('what was done, in the past tense'),
  state: z.string().optional(),
  data: z.record(z.string(), z.unknown()),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/** A row as it is stored: `bodyHash` is the SHA-256 of `body`, `hash` that of the hash before it and of `bodyHash`. */
export interface AuditRow {
  readonly seq: number;
  readonly body: string;
  readonly bodyHash: string;
  readonly hash: string;
}

/** A link of the chain without what its row says: enough to prove that nothing was left out between two rows. */
export type AuditLink = Pick<AuditRow, 'seq' | 'bodyHash' | 'hash'>;

/** The head of the chain at some time, noted where whoever writes the chain cannot reach it. */
export const auditAnchor = z.object({ seq: z.int().min(1), hash: z.string(), at: z.string() });
export type AuditAnchor = z.infer<typeof auditAnchor>;

/** What the first row follows. */
export const GENESIS = '0'.repeat(64);

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');
const linkHash = (previous: string, bodyHash: string): string => sha256(`${previous}\n${bodyHash}`);

/** The row of an entry that follows the row with the hash `previous`. */
export function auditRow(entry: AuditEntry, previous: string): AuditRow {
  const body = canonicalJson(entry);
  const bodyHash = sha256(body);
  return { seq: entry.seq, body, bodyHash, hash: linkHash(previous, bodyHash) };
}

/** The first thing that is wrong with a chain. */
export interface AuditFault {
  readonly seq: number;
  readonly fault: 'altered' | 'missing' | 'reordered';
  readonly why: string;
}

/** Looks through a chain row by row, in the order in which they come; give it every row, then ask for the result. */
export interface ChainCheck {
  /** Returns the first fault so far. Further rows change nothing then. */
  add(row: AuditLink & { readonly body?: string }): AuditFault | undefined;
  /** The result, once every row was given: the fault, or the number of rows and the head. */
  end(): { readonly fault?: AuditFault; readonly rows: number; readonly head: string };
}

/**
 * The check of a chain from its first row. A row that says something else than its hash was altered; where a number is left out a
 * row is missing; where a number comes again or too early the rows were reordered; an anchor with another hash means that
 * the chain was written anew before it, one beyond the end that rows are missing there.
 */
export function checkChain(anchors: readonly AuditAnchor[] = []): ChainCheck {
  const anchored = Map.groupBy(anchors, ({ seq }) => seq);
  let [expected, previous] = [1, GENESIS];
  let fault: AuditFault | undefined;

  function faultOf(row: AuditLink & { body?: string }): AuditFault | undefined {
    const { seq } = row;
    if (seq > expected)
      return { seq: expected, fault: 'missing', why: `row ${seq} follows row ${expected - 1}` };
    if (seq < expected) return { seq, fault: 'reordered', why: `it follows row ${expected - 1}` };
    if (row.body !== undefined) {
      if (sha256(row.body) !== row.bodyHash) return altered(seq, 'what it says is not what was hashed');
      const said = seqOf(row.body);
      if (said !== seq) return { seq, fault: 'reordered', why: `it says that it is row ${said}` };
    }
    if (linkHash(previous, row.bodyHash) !== row.hash)
      return altered(seq, 'its hash does not follow from the row before it and from itself');
    const other = anchored.get(seq)?.find(({ hash }) => hash !== row.hash);
    if (other)
      return altered(
        seq,
        `the anchor of ${other.at} has another hash: this or an earlier row was written anew`,
      );
    return undefined;
  }

  return {
    add(row) {
      fault ??= faultOf(row);
      if (!fault) [expected, previous] = [expected + 1, row.hash];
      return fault;
    },
    end() {
      const rows = expected - 1;
      const beyond = anchors.filter(({ seq }) => seq > rows).sort((a, b) => a.seq - b.seq)[0];
      if (!fault && beyond)
        fault = {
          seq: expected,
          fault: 'missing',
          why: `the chain ends with row ${rows}; the anchor of ${beyond.at} knows row ${beyond.seq}`,
        };
      return { ...(fault ? { fault } : {}), rows, head: previous };
    },
  };
}

const altered = (seq: number, why: string): AuditFault => ({ seq, fault: 'altered', why });

function seqOf(body: string): number | undefined {
  try {
    return auditEntry.parse(JSON.parse(body)).seq;
  } catch {
    return undefined;
  }
}
