import type { Detail } from './statement.ts';

/** Code words of SEPA within the texts of German banks: `EREF+…SVWZ+…`. */
const WORDS = /(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|COAM|OAMT|PREF|RREF|RTRN|IBAN|BIC|PURP|ANAM)\+/;
/** Code words between slashes, as Dutch and Belgian banks and the SWIFT guidelines have them. */
const SLASHED = new Set([
  ...[
    'TRTP',
    'IBAN',
    'BIC',
    'NAME',
    'REMI',
    'EREF',
    'MARF',
    'CSID',
    'PREF',
    'IREF',
    'RTRN',
    'CNTP',
    'ORDP',
    'BENM',
  ],
  ...[
    'PURP',
    'ULTD',
    'ULTC',
    'ULTB',
    'ISDT',
    'ADDR',
    'ID',
    'ACCW',
    'SVCL',
    'BUSP',
    'UETR',
    'OCMT',
    'CHGS',
    'EXCH',
  ],
]);
/** Codes of the German banks (Geschäftsvorfallcode) that take a payment back. */
const BACK = new Set(['108', '109', '159', '181', '182', '183', '184', '185']);
/** Reasons for a return (ISO 20022 external code set), as they stand in texts. */
const REASON =
  /\b(A[CGM]\d{2}|BE\d{2}|CN\d{2}|D[TSU]\d{2}|ED\d{2}|FF\d{2}|M[DS]\d{2}|R[CRF]\d{2}|SL\d{2}|T[MD]\d{2}|ARDT|CNOR|CUST|DNOR|DUPL|FOCR|FRAD|LEGL|NARR|NOAS|NOOR|SVNR|TECH|UPAY)\b/;

/** What field 86 says of a payment. */
export interface Information extends Detail {
  /** Code of the kind of movement: `166`. */
  readonly code?: string | undefined;
  readonly title?: string | undefined;
}

const filled = (text: string | undefined): string | undefined => text?.trim() || undefined;

/** Is it a reference at all? Banks fill the field when there is none. */
const reference = (text: string | undefined): string | undefined => {
  const trimmed = filled(text);
  return trimmed && !/^(?:NON ?REF|NOT ?PROVIDED|NONE)$/i.test(trimmed) ? trimmed : undefined;
};

const returnedOf = (isBack: boolean, text: string): Detail['returned'] =>
  isBack ? { code: REASON.exec(text)?.[1] } : undefined;

/** `166?00SEPA-GUTSCHRIFT?20EREF+…?30BIC?31IBAN?32NAME`: the fields of German, Austrian and Polish banks. */
function numbered(text: string): Information {
  const code = text.slice(0, 3);
  const mark = text[3] ?? '?';
  const fields = new Map<string, string>();
  for (const piece of text.slice(4).split(mark)) {
    const [, number, value = ''] = /^(\d{2})(.*)$/s.exec(piece) ?? [];
    if (number) fields.set(number, value);
    else {
      // The mark stood in the text itself.
      const last = [...fields.keys()].at(-1);
      if (last) fields.set(last, `${fields.get(last)}${mark}${piece}`);
    }
  }
  const purpose = [...fields]
    .filter(([number]) => /^(?:2\d|6[0-3])$/.test(number))
    .map(([, value]) => value)
    .join('');
  const said = words(purpose);
  const returnText = [said.get('RTRN'), said.get('SVWZ'), said.get(''), fields.get('34')].join(' ');
  return {
    code,
    title: filled(fields.get('00')),
    endToEndId: reference(said.get('EREF')),
    instructionId: reference(said.get('KREF')),
    mandateId: reference(said.get('MREF')),
    batchIds: [],
    party: {
      name: filled(`${fields.get('32') ?? ''}${fields.get('33') ?? ''}`),
      account: filled(fields.get('31')) ?? filled(said.get('IBAN')),
      bic: filled(fields.get('30')) ?? filled(said.get('BIC')),
    },
    structured: [],
    unstructured: (said.get('SVWZ') ?? said.get('') ?? '').trim(),
    documents: [],
    returned: returnedOf(BACK.has(code) || said.has('RTRN'), returnText),
  };
}

/** The texts by their code words; what stands before the first under an empty one. */
function words(text: string): Map<string, string> {
  const pieces = text.split(WORDS);
  const said = new Map<string, string>([['', pieces[0] ?? '']]);
  for (let i = 1; i < pieces.length; i += 2) said.set(pieces[i] ?? '', pieces[i + 1] ?? '');
  return said;
}

/** `/EREF/…//CNTP/IBAN/BIC/NAME///REMI/USTD//…`: code words between slashes. */
function slashed(text: string): Information {
  const said = new Map<string, string[]>();
  let word = '';
  for (const piece of text.split('/')) {
    if (SLASHED.has(piece) && !(word === 'CNTP' && (said.get(word)?.length ?? 0) < 3)) {
      word = piece;
      if (!said.has(word)) said.set(word, []);
    } else said.get(word)?.push(piece);
  }
  const one = (name: string): string | undefined => filled(said.get(name)?.join('/').replace(/\/+$/, ''));
  const [account, bic, name] = said.get('CNTP') ?? said.get('ORDP') ?? said.get('BENM') ?? [];
  const remittance = said.get('REMI') ?? [];
  const isStructured = remittance[0] === 'STRD';
  // `STRD/CUR/9550 0000…` names who issued the reference before it.
  const told = /^(?:STRD|USTD)$/.test(remittance[0] ?? '') ? remittance.slice(2) : remittance;
  const reason = one('RTRN');
  return {
    endToEndId: reference(one('EREF')),
    instructionId: reference(one('IREF')),
    uetr: filled(one('UETR')),
    mandateId: reference(one('MARF')),
    batchIds: [reference(one('PREF'))].filter((id) => id !== undefined),
    party: {
      name: filled(said.has('NAME') ? one('NAME') : name),
      account: filled(said.has('IBAN') ? one('IBAN') : account),
      bic: filled(said.has('BIC') ? one('BIC') : bic),
    },
    title: one('TRTP'),
    structured: isStructured ? [told.join('/').trim()].filter(Boolean) : [],
    unstructured: isStructured ? '' : told.join('/').replace(/\/+$/, '').trim(),
    documents: [],
    returned: reason === undefined ? undefined : { code: REASON.exec(reason)?.[1] ?? reason.slice(0, 35) },
  };
}

/** Reads field 86 in the dialects of banks: numbered fields, code words between slashes, code words with `+`, or plain text. */
export function informationOf(lines: readonly string[]): Information {
  const joined = lines.join('');
  if (/^\d{3}[^0-9A-Za-z\s]\d{2}/.test(joined)) return numbered(joined);
  const [, first] = /^\s*\/([A-Z]{2,4})\//.exec(joined) ?? [];
  if (first !== undefined && SLASHED.has(first)) return slashed(joined);
  const said = words(joined);
  const isPlain = said.size === 1;
  return {
    endToEndId: reference(said.get('EREF')),
    instructionId: reference(said.get('KREF')),
    mandateId: reference(said.get('MREF')),
    batchIds: [],
    structured: [],
    unstructured: isPlain
      ? lines.map((line) => line.trim()).join(' ')
      : (said.get('SVWZ') ?? said.get('') ?? '').trim(),
    documents: [],
    returned: returnedOf(said.has('RTRN'), said.get('RTRN') ?? ''),
  };
}
