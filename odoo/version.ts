import { z } from 'zod';
import { OdooError } from './errors.ts';
import { jsonRpcBody, jsonRpcResult } from './jsonrpc.ts';
import { jsonOf, odooTransportFault } from './reply.ts';
import type { Transport } from './transport.ts';

export interface OdooVersion {
  /** `18.0`, `saas~18.3`. */
  readonly series: string;
  /** 18 of `saas~18.3`. */
  readonly major: number;
  /** As Odoo writes it, `18.0-20250702`, `saas~18.3+e`. */
  readonly text: string;
  readonly isEnterprise: boolean;
}

/** Read, and tested against: others are tried as the nearest of these. */
export const KNOWN_MAJORS = { first: 17, last: 19 } as const;

const info = z.tuple([z.union([z.int(), z.string()])], z.unknown());
const ofJsonRpc = z.object({
  server_version: z.string(),
  server_version_info: info.optional(),
  server_serie: z.string().optional(),
});
const ofWeb = z.object({ version: z.string(), version_info: info.optional() });

/**
 * Asks which Odoo it is, which takes no credentials: by `/jsonrpc`, of which every version up to 21 has this part, else by
 * `/web/version`. Throws an OdooError, 'odoo.protocol' when it is no Odoo.
 */
export async function probeVersion(transport: Transport): Promise<OdooVersion> {
  const where = 'common.version';
  try {
    const body = jsonRpcBody('common', 'version', [], 0);
    const answer = jsonRpcResult(where, await transport(where, { method: 'POST', path: '/jsonrpc', body }));
    return versionOf(ofJsonRpc.parse(answer));
  } catch (error) {
    const isNone = error instanceof OdooError && ['odoo.protocol', 'odoo.unsupported'].includes(error.code);
    if (!isNone && !(error instanceof z.ZodError)) throw error;
    return await probeWeb(transport);
  }
}

async function probeWeb(transport: Transport): Promise<OdooVersion> {
  const where = '/web/version';
  const reply = await transport(where, { method: 'GET', path: '/web/version' });
  const body = jsonOf(reply);
  const told = ofWeb.safeParse(body);
  if (told.success) return versionOf({ server_version: told.data.version });
  const other = ofJsonRpc.safeParse(body);
  if (other.success) return versionOf(other.data);
  throw odooTransportFault(where, reply);
}

function versionOf({ server_version: text, server_serie: series }: z.infer<typeof ofJsonRpc>): OdooVersion {
  const [found, number] = /(?:saas~)?(\d+)(?:\.\d+)?/.exec(series ?? text) ?? [];
  if (found === undefined)
    throw new OdooError('odoo.protocol', `common.version: '${text.slice(0, 40)}' is no version of Odoo`);
  return { series: found, major: Number(number), text: text.slice(0, 80), isEnterprise: /\+e/.test(text) };
}

/** The version whose table of models and fields is used: the nearest that is known. */
export const tableVersion = ({ major }: Pick<OdooVersion, 'major'>): number =>
  Math.min(Math.max(major, KNOWN_MAJORS.first), KNOWN_MAJORS.last);
