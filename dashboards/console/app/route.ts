/** What the address asks for: `#/incidents?state=open`. */
export interface Route {
  readonly page: string;
  readonly id: string;
  readonly params: URLSearchParams;
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** The route of a hash; the incidents when it names no page. */
export function routeOf(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [page = '', id = ''] = path.split('/');
  return { page: page || 'incidents', id: decoded(id), params: new URLSearchParams(search) };
}

/** The hash of a page with those parameters that have a value; a list gives one parameter several times. */
export function hashOf(page: string, params: Record<string, string | readonly string[]> = {}): string {
  const search = new URLSearchParams();
  for (const [name, values] of Object.entries(params))
    for (const value of typeof values === 'string' ? [values] : values)
      if (value !== '') search.append(name, value);
  const text = search.toString();
  return text ? `#/${page}?${text}` : `#/${page}`;
}

/**
 * Names what is new content to a reader: another page, another thing on it, the next rows of a list. What a control on the
 * page chose is not: the focus stays at the control (WCAG 3.2.2).
 */
export const placeOf = ({ page, id, params }: Route): string =>
  JSON.stringify([page, id, params.getAll('after'), page === 'search' ? params.get('key') : '']);
