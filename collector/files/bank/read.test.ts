import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseInstant } from '../../../model/time.ts';
import { temporaryFolder } from '../../../test/harness.ts';
import type { BankOptions, PartyFacts, StatementFacts } from '../format.ts';
import { readerOf } from '../formats.ts';
import type { Item } from '../item.ts';
import { openLogFile } from '../log-file.ts';

const FIXTURES = join(import.meta.dirname, '../../../test/fixtures/import');
const CAMT = readFileSync(join(FIXTURES, 'statement.053.xml'), 'utf8');
const MT940 = readFileSync(join(FIXTURES, 'statement.sta'), 'utf8');

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

interface Outcome {
  readonly items: Item[];
  readonly notes: string[];
  readonly parties: PartyFacts[];
  readonly completeUpTo: bigint | undefined;
}

/** What becomes of a text that is a file of statements. */
async function readText(
  text: string | Buffer,
  stored: StatementFacts[] = [],
  format?: 'camt',
): Promise<Outcome> {
  const path = join(folder.path, 'statement');
  writeFileSync(path, text);
  const file = await openLogFile(path);
  const { reader } = readerOf(file, format, false);
  const notes: string[] = [];
  const parties: PartyFacts[] = [];
  let completeUpTo: bigint | undefined;
  const bank: BankOptions = {
    company: 'acme',
    journal: 'bank1',
    timezone: 'Europe/Brussels',
    pseudonym: (kind, said) => createHash('sha256').update(`key ${kind} ${said}`).digest('hex').slice(0, 32),
    storedStatements: async () => stored,
    party: (party) => void parties.push(party),
  };
  const items: Item[] = [];
  for await (const item of reader.read(file, {
    map: undefined,
    source: '/bank/acme/bank1',
    columns: undefined,
    now: parseInstant('2026-06-02T00:00:00Z') ?? 0n,
    clickhouse: undefined,
    bank,
    note: (note) => void notes.push(note),
    complete: (upTo) => {
      completeUpTo = upTo;
    },
  }))
    items.push(item as Item);
  return { items, notes, parties, completeUpTo };
}

const eventsOf = ({ items }: Outcome) =>
  items.flatMap(({ result }) => ('event' in result ? [result.event] : []));
const badOf = ({ items }: Outcome) =>
  items.flatMap(({ where, result }) =>
    'bad' in result ? [`${where}: ${result.reason}: ${result.bad}`] : [],
  );
const ofType = (outcome: Outcome, type: string) => eventsOf(outcome).filter((event) => event.type === type);

describe('camt.053', () => {
  test('lines, payments and the statement, with exact amounts, signs, keys and dates', async () => {
    const outcome = await readText(CAMT);
    expect(badOf(outcome)).toEqual([]);
    expect(eventsOf(outcome).map(({ type, amount }) => `${type} ${amount}`)).toEqual([
      'statementline.imported 16.66',
      'payment.confirmed 16.66',
      'statementline.imported -80.00',
      'payment.confirmed 50.00',
      'payment.confirmed 30.00',
      'statementline.imported 200.00',
      'payment.returned 200.00',
      'statementline.imported -20.00',
      'bankstatement.imported 1116.66',
    ]);
    const [first, batch] = ofType(outcome, 'statementline.imported');
    expect(first).toMatchObject({
      source: '/bank/acme/bank1',
      company: 'acme',
      time: '2026-05-29T22:00:00Z',
      period: '2026-05',
      currency: 'EUR',
      docNumber: 'BANKREF-1',
      ingestPath: 'file',
      keys: [
        { type: 'e2e', value: 'INV-77-PAY' },
        { type: 'uetr', value: '7A562C67-CA16-48BA-B074-65581BE6F001' },
        { type: 'payref', value: '090933755493' },
        { type: 'extid', value: 'BANKREF-1' },
      ],
      attributes: {
        account: 'BE…7034',
        journal: 'bank1',
        bookingDate: '2026-05-30',
        valueDate: '2026-05-31',
        bankTransactionCode: 'PMNT/RCDT/ESCT',
        direction: 'in',
        counterpartyAccount: 'DE…3000',
      },
    });
    expect(JSON.parse(batch?.data ?? '{}')).toMatchObject({
      lines: [
        { amount: '50.00', e2e: 'PAY-1' },
        { amount: '30.00', e2e: 'PAY-2' },
      ],
    });
    expect(batch?.keys).toContainEqual({ type: 'batch', value: 'RUN-9' });
    const [, one, two] = ofType(outcome, 'payment.confirmed');
    expect(one).toMatchObject({ attributes: { direction: 'out', line: batch?.id } });
    expect(one?.keys).toContainEqual({ type: 'payref', value: 'RF18539007547034' });
    expect(two?.partyKey).not.toBe(one?.partyKey);
    expect(ofType(outcome, 'payment.returned')[0]).toMatchObject({
      keys: [{ type: 'e2e', value: 'PAY-0' }],
      attributes: { direction: 'out', returnReason: 'AC04', returnText: 'Account closed' },
    });
    const [statement] = ofType(outcome, 'bankstatement.imported');
    expect(statement).toMatchObject({
      time: '2026-05-31T22:00:00Z',
      docNumber: '105',
      attributes: { opening: '1000.00', closing: '1116.66', entries: '4', checked: 'true' },
    });
    expect(JSON.parse(statement?.data ?? '{}').control.controlTotals).toEqual({ count: 4, sum: '116.66' });
    expect(outcome.completeUpTo).toBe(parseInstant('2026-05-31T22:00:00Z'));
  });

  test('no name and no account stands in an event; the register of parties has the names', async () => {
    const outcome = await readText(CAMT);
    const text = JSON.stringify(eventsOf(outcome));
    for (const secret of ['Roe', 'Vendor', '89370400', '8937 0400', '0754 7034"', 'BE68', 'NWBK'])
      expect(text).not.toContain(secret);
    expect(ofType(outcome, 'statementline.imported')[0]?.attributes.remittance).toBe(
      'Invoice of … +++090/9337/55493+++ from DE…3000',
    );
    expect(outcome.parties).toContainEqual({
      partyKey: ofType(outcome, 'payment.confirmed')[0]?.partyKey,
      name: 'Jane Roe',
      account: 'DE…3000',
    });
  });

  test('a statement that does not add up is refused with its sums, and so is one that was cut', async () => {
    const outcome = await readText(CAMT.replace('1116.66', '1116.67'));
    expect(eventsOf(outcome)).toEqual([]);
    expect(badOf(outcome)).toEqual([
      'statement 105 (1): totals: does not add up: opening 1000.00 and entries of 116.66 make 1116.66, the closing balance is 1116.67 EUR; nothing of it is stored',
    ]);
    const cut = await readText(CAMT.replace('<NbOfNtries>4</NbOfNtries>', '<NbOfNtries>5</NbOfNtries>'));
    expect(badOf(cut)[0]).toContain('says 5 entries and has 4');
    const sum = await readText(CAMT.replace('<Sum>216.66</Sum>', '<Sum>216.65</Sum>'));
    expect(badOf(sum)[0]).toContain('says credits of 216.65 and has 216.66');
  });

  test('reversals: as ISO 20022 has them; the other way round where only that adds up', async () => {
    const flipped = CAMT.replace(
      '<Amt Ccy="EUR">200.00</Amt><CdtDbtInd>CRDT',
      '<Amt Ccy="EUR">200.00</Amt><CdtDbtInd>DBIT',
    ).replace(/<TxsSummry>[\s\S]*<\/TxsSummry>/, '');
    const outcome = await readText(flipped);
    expect(badOf(outcome)).toEqual([]);
    expect(ofType(outcome, 'statementline.imported')[2]).toMatchObject({ amount: '200.00' });
    expect(outcome.notes[0]).toMatch(/reversals were taken the other way round/);
    // A booking that the bank took back itself, without a word of a return, is a payment that it rejected.
    const own = CAMT.replace(/<RtrInf>.*<\/RtrInf>/, '').replace('<SubFmlyCd>RRTN', '<SubFmlyCd>ESCT');
    expect(ofType(await readText(own), 'payment.rejected')).toMatchObject([
      { amount: '200.00', keys: [{ type: 'e2e', value: 'PAY-0' }], attributes: { direction: 'out' } },
    ]);
  });

  test('payments that do not add up to their entry are refused, and the line stands', async () => {
    const outcome = await readText(CAMT.replace('<Amt Ccy="EUR">30.00', '<Amt Ccy="EUR">30.01'));
    expect(badOf(outcome)).toEqual([
      'statement 105 (1), entry 2: details: its payments sum up to 80.01, its amount is 80.00 EUR: its line is stored, its payments are not',
    ]);
    expect(ofType(outcome, 'statementline.imported')).toHaveLength(4);
    expect(ofType(outcome, 'payment.confirmed')).toHaveLength(1);
    const count = await readText(CAMT.replace('<NbOfTxs>2', '<NbOfTxs>3'));
    expect(badOf(count)[0]).toContain('says 3 payments and has 2');
    // What the bank kept as charges is no difference.
    const charged = CAMT.replace('<Amt Ccy="EUR">30.00', '<Amt Ccy="EUR">29.50').replace(
      '<NtryDtls>\n          <Btch>',
      '<Chrgs><TtlChrgsAndTaxAmt Ccy="EUR">0.50</TtlChrgsAndTaxAmt></Chrgs><NtryDtls>\n          <Btch>',
    );
    expect(badOf(await readText(charged))).toEqual([]);
  });

  test('an entry without a booking date takes its value date; one whose date is none is bad', async () => {
    const without = await readText(CAMT.replace('<BookgDt><Dt>2026-05-30</Dt></BookgDt>', ''));
    expect(ofType(without, 'statementline.imported')[0]).toMatchObject({ time: '2026-05-30T22:00:00Z' });
    const wrong = await readText(CAMT.replace('<BookgDt><Dt>2026-05-30', '<BookgDt><Dt>2026-02-30'));
    expect(badOf(wrong)).toEqual([
      'statement 105 (1), entry 1: time: booking date: is no date of the calendar: "2026-02-30"',
    ]);
    expect(ofType(wrong, 'statementline.imported')).toHaveLength(3);
    const ahead = await readText(CAMT.replace('<BookgDt><Dt>2026-05-30', '<BookgDt><Dt>2036-05-30'));
    expect(badOf(ahead)[0]).toContain('lies more than 24 hours ahead');
    const amount = await readText(CAMT.replace('<Amt Ccy="EUR">16.66</Amt><Cdt', '<Amt>16,66</Amt><Cdt'));
    expect(badOf(amount)[0]).toContain('(1 entries cannot be read)');
  });

  test('pending entries are left out; older versions say the same in other elements', async () => {
    const old = CAMT.replaceAll('<Sts><Cd>BOOK</Cd></Sts>', '<Sts>BOOK</Sts>')
      .replace('053.001.08', '053.001.02')
      .replace(/<\/?Pty>/g, '')
      .replace(
        '</Ntry>',
        '</Ntry><Ntry><Amt Ccy="EUR">7</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>PDNG</Sts></Ntry>',
      );
    const outcome = await readText(old);
    expect(badOf(outcome)).toEqual([]);
    expect(outcome.items.filter(({ result }) => 'skipped' in result)).toHaveLength(1);
    expect(outcome.parties.map(({ name }) => name)).toContain('Jane Roe');
    const ids = (one: Outcome) => ofType(one, 'statementline.imported').map(({ id }) => id);
    expect(ids(outcome)).toEqual(ids(await readText(CAMT)));
  });

  test('a notification before the statement tells the same lines and payments, and no statement', async () => {
    const notification = CAMT.replace('camt.053', 'camt.054')
      .replaceAll('BkToCstmrStmt', 'BkToCstmrDbtCdtNtfctn')
      .replaceAll('Stmt>', 'Ntfctn>')
      .replace(/<Bal>[\s\S]*<\/Bal>/, '')
      .replace('STMT-2026-105', 'NOTE-3')
      .replaceAll(/<UETR>.*?<\/UETR>/g, '')
      .replace(
        '<BookgDt><Dt>2026-05-30</Dt></BookgDt>',
        '<BookgDt><DtTm>2026-05-30T14:03:00</DtTm></BookgDt>',
      );
    const told = await readText(notification);
    expect(ofType(told, 'bankstatement.imported')).toEqual([]);
    expect(told.completeUpTo).toBe(0n);
    const facts = (one: Outcome) =>
      eventsOf(one)
        .filter(({ type }) => type !== 'bankstatement.imported')
        .map(({ id }) => id);
    expect(facts(told)).toEqual(facts(await readText(CAMT)));
    expect(new Set(facts(told)).size).toBe(8);
  });

  test('lines without a reference are told apart by what they say, and alike ones counted', async () => {
    const fee = /<Ntry>\s*<Amt Ccy="EUR">20.00[\s\S]*?<\/Ntry>/.exec(CAMT)?.[0] ?? '';
    const plain = fee.replace('<AcctSvcrRef>BANKREF-4</AcctSvcrRef>', '<AcctSvcrRef>NONREF</AcctSvcrRef>');
    const twice = CAMT.replace(fee, plain.replace('20.00', '10.00').repeat(2)).replace(
      /<TxsSummry>[\s\S]*<\/TxsSummry>/,
      '',
    );
    const lines = ofType(await readText(twice), 'statementline.imported');
    expect(lines.map(({ amount }) => amount)).toEqual(['16.66', '-80.00', '200.00', '-10.00', '-10.00']);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(5);
    expect(ofType(await readText(twice), 'statementline.imported')).toEqual(lines);
  });

  test('the same statement twice in a file counts once', async () => {
    const statement = /<Stmt>[\s\S]*<\/Stmt>/.exec(CAMT)?.[0] ?? '';
    const outcome = await readText(CAMT.replace(statement, statement + statement));
    expect(ofType(outcome, 'statementline.imported')).toHaveLength(4);
    expect(ofType(outcome, 'bankstatement.imported')).toHaveLength(1);
    expect(outcome.notes.join()).toContain('stands in the file twice');
  });

  test('a gap to the statement before is told, with the difference, and holds up completeness', async () => {
    const before: StatementFacts = {
      id: 'b',
      number: '104',
      currency: 'EUR',
      opening: '900.00',
      closing: '990.00',
      closingDate: '2026-05-28',
    };
    const outcome = await readText(CAMT, [before]);
    expect(ofType(outcome, 'bankstatement.gapdetected')).toMatchObject([
      { amount: '10', attributes: { number: '105', previousNumber: '104', previousClosing: '990.00' } },
    ]);
    const [imported] = ofType(outcome, 'bankstatement.imported');
    expect(ofType(outcome, 'bankstatement.gapdetected')[0]?.subject).toBe(imported?.subject);
    expect(outcome.completeUpTo).toBe(parseInstant('2026-05-28T22:00:00Z'));
    for (const fine of [
      { ...before, closing: '1000' },
      { ...before, currency: 'USD' },
      { ...before, closingDate: '2026-06-05' },
    ])
      expect(ofType(await readText(CAMT, [fine]), 'bankstatement.gapdetected')).toEqual([]);
  });

  test('what is no bank statement is refused', async () => {
    await expect(readText(CAMT.replaceAll('BkToCstmrStmt', 'BkToCstmrAcctRpt'))).rejects.toThrow(
      'the document holds BkToCstmrAcctRpt: only camt.053 and camt.054 are read',
    );
    await expect(
      readText(CAMT.replace('<Document', '<!DOCTYPE x [<!ENTITY a "aaaa">]><Document'), [], 'camt'),
    ).rejects.toThrow(/DOCTYPE/);
    await expect(readText(CAMT.slice(0, 2000))).rejects.toThrow();
    await expect(readText(CAMT.replace('Account fees', 'x'.repeat(5 << 20)))).rejects.toThrow(
      /statement 1, entry 4: has more than 4194304 characters/,
    );
    expect(
      badOf(await readText(CAMT.replace('<Id><IBAN>BE68539007547034</IBAN></Id><Ccy>', '<Ccy>'))),
    ).toEqual(['statement 105 (1): totals: Acct/Id: the account is missing; nothing of it is stored']);
  });
});

describe('MT940', () => {
  test('lines of several dialects, returns and reversals', async () => {
    const outcome = await readText(MT940);
    expect(badOf(outcome)).toEqual([]);
    expect(eventsOf(outcome).map(({ type, amount }) => `${type} ${amount}`)).toEqual([
      'statementline.imported 16.66',
      'payment.confirmed 16.66',
      'statementline.imported -80.00',
      'payment.confirmed 80.00',
      'statementline.imported 200.00',
      'payment.returned 200.00',
      'statementline.imported -20.00',
      'bankstatement.imported 1116.66',
    ]);
    const [german, dutch, back, fees] = ofType(outcome, 'statementline.imported');
    expect(german).toMatchObject({
      time: '2026-05-29T22:00:00Z',
      docNumber: 'BANKREF-1',
      keys: [
        { type: 'e2e', value: 'INV-77-PAY' },
        { type: 'payref', value: 'RF18539007547034' },
        { type: 'extid', value: 'BANKREF-1' },
      ],
      attributes: {
        account: 'DE…3000',
        valueDate: '2026-05-31',
        proprietaryCode: '166',
        bankTransactionCode: 'NTRF',
        remittance: 'RF18 5390 0754 7034 by …',
        counterpartyAccount: 'GB…6819',
      },
    });
    expect(dutch).toMatchObject({
      keys: [
        { type: 'e2e', value: 'PAY-1' },
        { type: 'payref', value: 'Bill 4711' },
        { type: 'extid', value: 'BANKREF-2' },
      ],
    });
    // Where only a free text is, the reference is a guess, and says so.
    expect(JSON.parse(dutch?.data ?? '{}').keys[1]).toEqual({
      type: 'payref',
      value: 'Bill 4711',
      strength: 'heuristic',
    });
    expect(back?.attributes.returnReason).toBe('AC04');
    expect(fees?.attributes).toMatchObject({ reversal: 'true', remittance: 'fees taken back' });
    expect(outcome.parties.map(({ name }) => name)).toContain('Jane Roe');
    expect(ofType(outcome, 'bankstatement.imported')[0]).toMatchObject({ docNumber: '00105/001' });
  });

  test('SWIFT envelopes, pages, Windows letters, years that end between booking and value', async () => {
    const page = (body: string): string =>
      `{1:F01BANKBEBBXXXX0000000000}{2:I940ACMEBEBBXXXXN}{4:\r\n${body}-}\r\n`;
    const text =
      page(
        ':20:A\r\n:25:NL91ABNA0417164300\r\n:28C:1/1\r\n:60F:C260102EUR0,\r\n:61:2601021231C5,NTRFX\r\n:86:M\xfcller 7\r\n:62M:C260102EUR5,\r\n',
      ) +
      page(
        ':20:B\r\n:25:NL91ABNA0417164300\r\n:28C:1/2\r\n:60M:C260102EUR5,\r\n:61:260102D2,NMSCY\r\n:62F:C260102EUR3,\r\n',
      );
    const outcome = await readText(Buffer.from(text, 'latin1'));
    expect(badOf(outcome)).toEqual([]);
    const [first] = ofType(outcome, 'statementline.imported');
    expect(first).toMatchObject({
      time: '2025-12-30T23:00:00Z',
      period: '2025-12',
      attributes: { remittance: 'Müller 7' },
    });
    expect(ofType(outcome, 'bankstatement.imported').map(({ docNumber }) => docNumber)).toEqual([
      '1/1',
      '1/2',
    ]);
    expect(ofType(outcome, 'bankstatement.gapdetected')).toEqual([]);
  });

  test('what cannot be read is told with statement and entry', async () => {
    const line = await readText(MT940.replace(':61:2605310530CR16,66NTRF', ':61:2605310530CR16.66'));
    expect(badOf(line)[0]).toMatch(
      /statement 00105\/001 \(1\): totals: does not add up: .*1 entries cannot be read/,
    );
    const balance = await readText(MT940.replace(':62F:C260531EUR', ':62F:X'));
    expect(badOf(balance)).toEqual([
      'statement 00105/001 (1): totals: :62F: is no balance: mark, date, currency, amount; nothing of it is stored',
    ]);
    await expect(readText(`${MT940}${'x'.repeat(20_000)}`)).rejects.toThrow('a line is longer than');
  });
});
