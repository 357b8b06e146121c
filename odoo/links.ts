import type { OdooVersion } from './version.ts';

/**
 * Where a record is in Odoo's web client, for a person who is signed in there. Up to 17 the state of the client is in the
 * fragment; from 18 on it is a path, in which a model is told from an action by its dot.
 */
export function recordUrl(
  baseUrl: string,
  version: Pick<OdooVersion, 'major'>,
  record: { readonly model: string; readonly id: number },
): string {
  const base = baseUrl.replace(/\/+$/, '');
  const model = encodeURIComponent(record.model);
  if (version.major < 18) return `${base}/web#id=${record.id}&model=${model}&view_type=form`;
  return `${base}/odoo/${record.model.includes('.') ? '' : 'm-'}${model}/${record.id}`;
}
