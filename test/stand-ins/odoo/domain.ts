/** A record as Odoo keeps it: instants with microseconds, references as ids, empty as false. */
export type Row = Record<string, unknown> & { id: number };
type Leaf = readonly [string, string, unknown];

/** Does a record match a domain of Odoo's, in its Polish notation? Throws what Odoo would: the name and text of an exception. */
export function matches(
  row: Row,
  domain: readonly unknown[],
  instants: ReadonlySet<string>,
  major: number,
): boolean {
  let at = 0;
  const term = (): boolean => {
    const part = domain[at++];
    if (part === '&') return both(term(), term());
    if (part === '|') return either(term(), term());
    if (part === '!') return !term();
    return leaf(row, part as Leaf, instants, major);
  };
  let result = true;
  while (at < domain.length) result = both(result, term());
  return result;
}

// Both sides are read: a term moves on in the domain.
const both = (a: boolean, b: boolean): boolean => a && b;
const either = (a: boolean, b: boolean): boolean => a || b;

function leaf(
  row: Row,
  [field, operator, value]: Leaf,
  instants: ReadonlySet<string>,
  major: number,
): boolean {
  if (!(field in row)) throw { name: 'builtins.ValueError', message: `Invalid field ${field} in leaf` };
  const isInstant = instants.has(field);
  // From 19 on the ORM compares whole seconds; before, the database its microseconds.
  const own =
    isInstant && major >= 19 && typeof row[field] === 'string' ? row[field].slice(0, 19) : row[field];
  switch (operator) {
    case '=':
      return value === false ? !own : own === value;
    case '!=':
      return value === false ? Boolean(own) : own !== value;
    case 'ilike':
      return String(own || '')
        .toLowerCase()
        .includes(String(value).toLowerCase());
    case 'in':
      return (value as unknown[]).includes(own) || (!own && (value as unknown[]).includes(false));
    case 'not in':
      return !(value as unknown[]).includes(own);
    case '>':
      return compare(own, value) > 0;
    case '>=':
      return compare(own, value) >= 0;
    case '<':
      return own !== false && compare(own, value) < 0;
    case '<=':
      return own !== false && compare(own, value) <= 0;
    default:
      throw { name: 'builtins.ValueError', message: `Invalid leaf ('${field}', '${operator}')` };
  }
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  return Number(a) - Number(b);
}

/** Sorts as `order` says, `write_date asc, id desc`. */
export function sorted(rows: Row[], order: string): Row[] {
  const keys = order.split(',').map((part) => {
    const [field = 'id', way = 'asc'] = part.trim().split(/\s+/);
    return { field, sign: way.toLowerCase() === 'desc' ? -1 : 1 };
  });
  return rows.toSorted((a, b) => {
    for (const { field, sign } of keys) {
      const by = compare(a[field] ?? '', b[field] ?? '');
      if (by !== 0) return by * sign;
    }
    return 0;
  });
}
