/** Control, format (zero-width, bidirectional, tags), private-use and unassigned characters; line ends become blanks. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\u2028\u2029\u115f\u1160\u3164\uffa0]/gu;

/** The text on one line without invisible characters, blanks collapsed, at most `limit` UTF-16 units. */
export function oneLine(text: string, limit: number): string {
  const clean = text
    .replace(/[\r\n\t\u0085\u2028\u2029]+/g, ' ')
    .replace(INVISIBLE, '')
    .replace(/\s+/g, ' ')
    .trim();
  if (clean.length <= limit) return clean;
  const cut = clean.slice(0, limit - 1);
  return `${cut.isWellFormed() ? cut : cut.slice(0, -1)}…`;
}

/** So much of a foreign text is read; what is kept of it is far shorter. */
const MAX_READ = 8_000;
/** Each costs a number of steps that grows with the text and no faster: none looks ahead for an end from every beginning. */
const MARKUP: readonly (readonly [RegExp, string])[] = [
  [/!?\[([^[\]]*)\]\([^()]*\)/g, '$1'],
  [/:([a-z0-9_+-]{2,40}):/gi, '$1'],
  [/(?<![\w.+-])[\w.+-]+@[\w-]+(\.[\w-]+)*/g, ' '],
  [/<[^>]*>?/g, ' '],
  [/\b[a-z][a-z0-9+.-]{1,20}:\/\/\S*/gi, ' '],
  [/\b(mailto|javascript|data|tel):\S*/gi, ' '],
  [/\bwww\.\S+/gi, ' '],
  [
    /(?<![\w-]|[\w-]\.)[\w-]+(\.[\w-]+)*\.(com|net|org|io|dev|app|eu|de|fr|uk|co|info|biz|example|ru|cn|ly|me|xyz|zip|top)\b\S*/gi,
    ' ',
  ],
  [/[@＠!]\s?(here|channel|everyone|group|subteam)\b/gi, ' '],
  [/[@＠]\S+/g, ' '],
  [/(^|\s)[#>]+\s/g, '$1'],
  [/[*_~`|<>]+/g, ' '],
];

/**
 * Plain words of a foreign text: no URLs, addresses, mentions, markup or invisible characters, one line, capped. Its first
 * 8,000 characters count.
 */
export function plainWords(text: string, limit: number): string {
  const normal = oneLine(text.slice(0, MAX_READ).normalize('NFKC'), MAX_READ);
  const stripped = MARKUP.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), normal);
  return oneLine(stripped.replace(/\s+/g, ' ').replace(/ ([.,;:!?])/g, '$1'), limit);
}

/** A technical name (service, source, flow) kept to letters, digits and `._/:<>-` and blanks, at most 64 long. */
export const technicalName = (text: string, limit = 64): string =>
  oneLine(text.replace(/[^\p{L}\p{N} ._/:<>-]+/gu, ' '), limit);
