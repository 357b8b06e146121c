import { OdooError, odooFault } from './errors.ts';
import { jsonOf, odooTransportFault, type Reply } from './reply.ts';

export type JsonRpcService = 'common' | 'object' | 'db';

/** The body of a call of `/jsonrpc`: all versions up to 21, deprecated from 19 on. */
export const jsonRpcBody = (
  service: JsonRpcService,
  method: string,
  args: readonly unknown[],
  id: number,
): string => JSON.stringify({ jsonrpc: '2.0', method: 'call', params: { service, method, args }, id });

/**
 * The result of a call; null when the method returned nothing, of which the answer has no word. Odoo answers 200 also
 * to what failed, with the exception under `error.data`. Throws an OdooError.
 */
export function jsonRpcResult(where: string, reply: Reply): unknown {
  const body = jsonOf(reply);
  if (reply.status !== 200 || body === null || typeof body !== 'object' || Array.isArray(body))
    throw odooTransportFault(where, reply);
  const { result, error } = body as { result?: unknown; error?: unknown };
  if (error === undefined || error === null) {
    if (!('jsonrpc' in body)) throw odooTransportFault(where, reply);
    return result ?? null;
  }
  const { data, message } = error as { data?: { name?: unknown; message?: unknown }; message?: unknown };
  if (typeof data?.name === 'string') throw odooFault(where, data.name, String(data.message ?? ''));
  throw new OdooError('odoo.failed', `${where}: ${String(message ?? 'Odoo gave no reason').slice(0, 200)}`);
}
