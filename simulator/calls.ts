import type { Company } from '../model/company.ts';
import type { Landscape, TraceContext } from './landscape.ts';

/** The calls that the systems make for one document, as spans. Times are epoch ms. */

const TAX_DOWN = { type: 'TaxEngineUnavailable', message: 'tax engine answered 503 Service Unavailable' };
const http = (method: string, route: string, status: number, server: string) => ({
  'http.request.method': method,
  'http.route': route,
  'http.response.status_code': status,
  'server.address': server,
});

/** The OCR service takes a bill in and hands it to the middleware. */
export function captureBill(land: Landscape, company: Company, at: number): TraceContext {
  const { random } = land;
  const root = land.span({
    service: 'ocr',
    name: 'POST /documents',
    kind: 'server',
    at,
    ms: random.int(900, 4000),
    attributes: { ...http('POST', '/documents', 201, 'ocr.internal'), 'closewatch.company': company.key },
  });
  land.span(
    { service: 'ocr', name: 'extract fields', kind: 'internal', at: at + 40, ms: random.int(500, 850) },
    root,
  );
  return root;
}

/** One call of the tax engine by the middleware: both sides, a 503 when it is down. */
export function callTaxEngine(land: Landscape, parent: TraceContext, at: number, down: boolean): void {
  const status = down ? 503 : 200;
  const ms = down ? land.random.int(2000, 5000) : land.random.int(30, 180);
  const error = down ? { error: TAX_DOWN } : {};
  const client = land.span(
    {
      service: 'middleware',
      name: 'POST /v2/calculate',
      kind: 'client',
      at,
      ms,
      attributes: http('POST', '/v2/calculate', status, 'tax-engine.internal'),
      ...error,
    },
    parent,
  );
  land.span(
    {
      service: 'tax-engine',
      name: 'POST /v2/calculate',
      kind: 'server',
      at: at + 2,
      ms: ms - 4,
      attributes: http('POST', '/v2/calculate', status, 'tax-engine.internal'),
      ...error,
    },
    client,
  );
}

/** The middleware processes a captured bill: tax, then a draft in Odoo. `down`: the tax engine fails and nothing reaches Odoo. */
export function bookDraft(
  land: Landscape,
  company: Company,
  captured: TraceContext | undefined,
  at: number,
  down = false,
): TraceContext {
  const attributes = { 'messaging.destination.name': 'bill-intake', 'closewatch.company': company.key };
  const work = land.span(
    {
      service: 'middleware',
      name: 'process bill-intake',
      kind: 'consumer',
      at,
      ms: down ? 16_000 : 600,
      attributes,
      ...(down ? { error: TAX_DOWN } : {}),
    },
    captured,
  );
  for (let attempt = 0; attempt < (down ? 3 : 1); attempt += 1)
    callTaxEngine(land, work, at + 20 + attempt * 5200, down);
  if (!down) callOdoo(land, work, at + 240, 'account.move', 'create');
  return work;
}

/** A call of Odoo's external API by the middleware; returns the server's context. */
export function callOdoo(
  land: Landscape,
  parent: TraceContext | undefined,
  at: number,
  model: string,
  method: string,
): TraceContext {
  const ms = land.random.int(60, 320);
  const route = `/json/2/${model}/${method}`;
  const client = land.span(
    {
      service: 'middleware',
      name: `POST ${route}`,
      kind: 'client',
      at,
      ms,
      attributes: http('POST', route, 200, 'odoo.internal'),
    },
    parent,
  );
  return land.span(
    {
      service: 'odoo',
      name: `${model}.${method}`,
      kind: 'server',
      at: at + 3,
      ms: ms - 6,
      attributes: { 'odoo.model': model, 'odoo.method': method },
    },
    client,
  );
}

/** A payment goes to the bank. A timeout that the retry heals is an error span that explains nothing. */
export function sendToBank(land: Landscape, at: number): TraceContext {
  const work = land.span({ service: 'odoo', name: 'account.payment.send', kind: 'internal', at, ms: 2600 });
  const attempt = (offset: number, ok: boolean) => {
    const facts = {
      name: 'POST /payments',
      at: at + offset,
      ms: ok ? land.random.int(90, 400) : 1500,
      attributes: http('POST', '/payments', ok ? 202 : 504, 'bank-gateway.internal'),
      ...(ok ? {} : { error: { type: 'GatewayTimeout', message: 'bank gateway timed out, trying again' } }),
    };
    const client = land.span({ ...facts, service: 'odoo', kind: 'client' }, work);
    land.span({ ...facts, service: 'bank-gateway', kind: 'server' }, client);
  };
  if (land.random.chance(0.02)) attempt(10, false);
  attempt(1800, true);
  return work;
}

/** Billing issues an invoice and the middleware carries it on. */
export function issueInvoice(land: Landscape, company: Company, at: number): TraceContext {
  return land.span({
    service: 'billing',
    name: 'publish invoice.issued',
    kind: 'producer',
    at,
    ms: land.random.int(5, 30),
    attributes: { 'messaging.destination.name': 'invoices', 'closewatch.company': company.key },
  });
}
