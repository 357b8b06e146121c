import { describe, expect, test } from 'vitest';
import { EngineError, engineError, errorText, httpStatus, midStreamException } from './errors.ts';

describe("chDB's exceptions", () => {
  test.each([
    ['Code: 47. DB::Exception: Unknown x. (UNKNOWN_IDENTIFIER)', 47, 'Unknown x.', 'UNKNOWN_IDENTIFIER'],
    [
      'Code: 62. DB::Exception: Syntax error: failed at position 49 (COMMENT) (line 2). (SYNTAX_ERROR)',
      62,
      'Syntax error: failed at position 49 (COMMENT) (line 2).',
      'SYNTAX_ERROR',
    ],
    [
      'Code: 504. DB::Exception: Code: 504. DB::Exception: File exists. (FILE_ALREADY_EXISTS) (version 26.7.2.1). (FILE_ALREADY_EXISTS)',
      504,
      'File exists.',
      'FILE_ALREADY_EXISTS',
    ],
    ['something else', 1002, 'something else', 'UNKNOWN_EXCEPTION'],
  ])('%j', (text, code, message, type) => {
    expect(engineError(new Error(text))).toMatchObject({ code, message, type });
  });

  test('are worded as a server words them', () => {
    expect(errorText(new EngineError(60, 'No table.', 'UNKNOWN_TABLE'), '26.7.2.1')).toBe(
      'Code: 60. DB::Exception: No table. (UNKNOWN_TABLE) (version 26.7.2.1 (chdb))\n',
    );
  });

  test.each([
    [516, 403],
    [60, 404],
    [62, 400],
    [202, 503],
    [307, 413],
    [241, 500],
  ])('code %i is HTTP %i', (code, status) => expect(httpStatus(new EngineError(code, '', 'X'))).toBe(status));

  test('end a stream with the length of the text in bytes', () => {
    expect(midStreamException('zu spät\n', 'TAG').toString()).toBe(
      '\r\n__exception__\r\nTAG\r\nzu spät\n9 TAG\r\n__exception__\r\n',
    );
  });
});
