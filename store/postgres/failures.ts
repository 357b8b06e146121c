/**
 * Does PostgreSQL refuse what it was given, so that the same would fail again? By SQLSTATE class: 22 data exception, 23
 * integrity constraint, 54 program limit (an index row too long). Anything else (08, 40, 53, 57, no state at all) says
 * that it is away, busy or ending.
 */
export function isOfTheData(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^(?:22|23|54)[0-9A-Z]{3}$/.test(code);
}
