import { OdooError } from './errors.ts';

/** An HTTP answer of Odoo, or of what stands before it. */
export interface Reply {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The body as JSON; undefined when it is none. */
export function jsonOf({ body }: Reply): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

/** What an answer that is none of the protocol's means. */
export function odooTransportFault(where: string, reply: Reply, now = Date.now()): OdooError {
  const { status, headers } = reply;
  const retryAfterMs = waitOf(headers.get('retry-after'), now);
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  if ([429, 502, 503, 504].includes(status))
    return new OdooError('odoo.busy', `${where}: the server answers ${status}`, wait);
  if (status === 401) return new OdooError('odoo.credentials', `${where}: the server answers 401`);
  if (status === 403) return new OdooError('odoo.access', `${where}: the server answers 403`);
  if (status >= 300 && status < 400) {
    const to = pathOf(headers.get('location'));
    const why = /login/.test(to) ? 'it does not know this way to sign in' : 'is this the address of Odoo?';
    return new OdooError(
      'odoo.protocol',
      `${where}: the server answers ${status} and leads to ${to}; ${why}`,
    );
  }
  if (status === 404)
    return new OdooError('odoo.protocol', `${where}: nothing there (404): no Odoo, or none of this database`);
  const type = (headers.get('content-type') ?? 'no type').split(';')[0];
  return new OdooError(
    'odoo.protocol',
    `${where}: the server answers ${status} with ${type}, not as Odoo does`,
  );
}

/** Where a redirect leads, without its query, which may hold anything. */
function pathOf(location: string | undefined): string {
  return URL.parse(location ?? '', 'http://odoo')?.pathname.slice(0, 100) ?? 'somewhere';
}

/** Seconds, or a date (RFC 9110, 10.2.3), in milliseconds from now. */
function waitOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
