import { expect, test } from 'vitest';
import { type AuditEntry, type AuditRow, auditRow, checkChain, GENESIS } from './audit.ts';

const entry = (seq: number, change = 'acknowledged'): AuditEntry => ({
  seq,
  at: '2026-05-01T10:00:00Z',
  recordedAt: '2026-05-01T10:00:00.001Z',
  actor: { id: 'sam', kind: 'human', roles: ['support'] },
  entity: 'incident',
  entityId: `i${seq}`,
  company: 'acme',
  change,
  data: { comment: `row ${seq}` },
});

function chainOf(length: number, change?: string): AuditRow[] {
  const rows: AuditRow[] = [];
  for (let seq = 1; seq <= length; seq += 1)
    rows.push(auditRow(entry(seq, change), rows.at(-1)?.hash ?? GENESIS));
  return rows;
}

function checked(
  rows: readonly (AuditRow | Omit<AuditRow, 'body'>)[],
  anchors: Parameters<typeof checkChain>[0] = [],
) {
  const check = checkChain(anchors);
  for (const row of rows) check.add(row);
  return check.end();
}

const rows = chainOf(9);
const anchorAt = (seq: number) => ({ seq, hash: rows[seq - 1]?.hash ?? '', at: '2026-05-01T11:00:00Z' });

test('a chain is whole, with and without what its rows say', () => {
  expect(checked(rows, [anchorAt(4), anchorAt(9)])).toEqual({ rows: 9, head: rows[8]?.hash });
  expect(checked(rows.map(({ body, ...link }) => link))).toEqual({ rows: 9, head: rows[8]?.hash });
  expect(checked([])).toEqual({ rows: 0, head: GENESIS });
});

const edited = (seq: number, change: (row: AuditRow) => AuditRow): AuditRow[] =>
  rows.map((row) => (row.seq === seq ? change(row) : row));

test.each([
  ['a text', edited(5, (row) => ({ ...row, body: row.body.replace('sam', 'eve') })), 5, 'altered'],
  [
    'a text with its hash',
    edited(5, () => auditRow({ ...entry(5), entityId: 'other' }, GENESIS)),
    5,
    'altered',
  ],
  [
    'a text with every hash up to the next row',
    edited(5, () => auditRow({ ...entry(5), entityId: 'other' }, rows[3]?.hash ?? '')),
    6,
    'altered',
  ],
  ['a row less', rows.filter(({ seq }) => seq !== 5), 5, 'missing'],
  ['the first row less', rows.slice(1), 1, 'missing'],
  ['two rows the other way round', [...rows.slice(0, 4), rows[5], rows[4], ...rows.slice(6)], 5, 'missing'],
  ['a row twice', [...rows.slice(0, 5), rows[4], ...rows.slice(5)], 5, 'reordered'],
  [
    'two rows with their numbers exchanged',
    edited(5, () => ({ ...(rows[5] as AuditRow), seq: 5 })),
    5,
    'reordered',
  ],
])('%s', (_, tampered, seq, fault) => {
  expect(checked(tampered as AuditRow[]).fault).toMatchObject({ seq, fault });
});

test('what is cut off at the end, or written anew, only an anchor tells', () => {
  expect(checked(rows.slice(0, 6)).fault).toBeUndefined();
  expect(checked(rows.slice(0, 6), [anchorAt(8)]).fault).toMatchObject({ seq: 7, fault: 'missing' });
  expect(checked(chainOf(9, 'resolved')).fault).toBeUndefined();
  expect(checked(chainOf(9, 'resolved'), [anchorAt(4)]).fault).toMatchObject({ seq: 4, fault: 'altered' });
});
