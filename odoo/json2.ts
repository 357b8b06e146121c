import { OdooError, odooFault } from './errors.ts';
import { jsonOf, odooTransportFault, type Reply } from './reply.ts';

/** Where a method is called by `/json/2`, from 19 on. */
export const json2Path = (model: string, method: string): string =>
  `/json/2/${encodeURIComponent(model)}/${encodeURIComponent(method)}`;

/**
 * The result of a call, bare; null when the method returned nothing. Failures have a status of their own and the exception in
 * the body: an object, or, in early versions, the message alone. Throws an OdooError.
 */
export function json2Result(where: string, reply: Reply): unknown {
  const body = jsonOf(reply);
  if (reply.status === 200 && body !== undefined) return body;
  if (body !== null && typeof body === 'object' && 'name' in body) {
    const { name, message } = body as { name: unknown; message?: unknown };
    throw odooFault(where, String(name), String(message ?? ''));
  }
  if (typeof body === 'string' && reply.status >= 400) throw odooFault(where, nameOf(reply.status), body);
  if (reply.status === 422 || reply.status === 400)
    throw new OdooError('odoo.call', `${where}: the server answers ${reply.status}`);
  throw odooTransportFault(where, reply);
}

/** What a status stands for where the body names no exception. */
function nameOf(status: number): string {
  if (status === 401) return 'Unauthorized';
  if (status === 403) return 'AccessError';
  if (status === 404) return 'NotFound';
  return status === 422 ? 'UserError' : '';
}
