import { checkedUtf8 } from './utf8.ts';

/** A line that is not blank, counted from 1; no text: it is longer than a line may be. */
export interface Line {
  readonly number: number;
  readonly text: string | undefined;
}

/** Characters of a line, at most. */
export const MAX_LINE = 1 << 20;

/** The lines of a text file in UTF-8 that are not blank. Throws `import.invalid` at the first that is not UTF-8. */
export async function* linesOf(bytes: AsyncIterable<Buffer>, advice: string): AsyncGenerator<Line> {
  let rest = '';
  let isLong = false;
  let number = 0;
  const lineOf = (text: string): Line => {
    number++;
    const line = { number, text: isLong || text.length > MAX_LINE ? undefined : text };
    isLong = false;
    return line;
  };
  for await (const piece of checkedUtf8(bytes, advice)) {
    const lines = `${rest}${piece.toString()}`.split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) {
      const line = lineOf(number === 0 ? text.replace(/^\uFEFF/, '') : text);
      if (line.text === undefined || line.text.trim() !== '') yield line;
    }
    if (rest.length > MAX_LINE) {
      isLong = true;
      rest = '';
    }
  }
  if (isLong || rest.trim() !== '') yield lineOf(number === 0 ? rest.replace(/^\uFEFF/, '') : rest);
}
