import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';

interface Asset {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
}

const HERE = import.meta.dirname;
const JAVASCRIPT = 'text/javascript; charset=utf-8';
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Packages that the page imports by name, and the file, beside the one that Node would load, that a browser gets. */
const PACKAGES: Record<string, string> = {
  preact: 'preact.mjs',
  'preact/hooks': 'hooks.mjs',
  htm: 'htm.mjs',
};

const addressOf = (name: string): string => `/vendor/${name.replaceAll('/', '-')}.js`;

/** Browsers resolve no bare names, and an import map would have to be an inline script: so names become addresses here. */
const withAddresses = (code: string): string =>
  code.replace(
    /(\bfrom\s*|\bimport\s*)(["'])([^"'./][^"']*)\2/g,
    (whole, before: string, quote: string, name: string) =>
      Object.hasOwn(PACKAGES, name) ? `${before}${quote}${addressOf(name)}${quote}` : whole,
  );

function asset(body: string, type: string): Asset {
  const bytes = Buffer.from(body);
  return {
    body: bytes,
    type,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
  };
}

/** Every file of the page by its address: read and stripped of types once. */
function readAssets(): Map<string, Asset> {
  const assets = new Map<string, Asset>();
  const folder = join(HERE, 'app');
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), 'utf8');
    if (name.endsWith('.test.ts')) continue;
    if (name.endsWith('.ts'))
      assets.set(`/app/${name}`, asset(withAddresses(stripTypeScriptTypes(text)), JAVASCRIPT));
    else {
      const type = TYPES[name.slice(name.lastIndexOf('.'))];
      if (type) assets.set(name === 'index.html' ? '/' : `/app/${name}`, asset(text, type));
    }
  }
  const require = createRequire(import.meta.url);
  for (const [name, file] of Object.entries(PACKAGES)) {
    const text = readFileSync(join(dirname(require.resolve(name)), file), 'utf8').replace(
      /\/\/# sourceMappingURL=.*\s*$/,
      '',
    );
    assets.set(addressOf(name), asset(withAddresses(text), JAVASCRIPT));
  }
  return assets;
}

/**
 * Serves the console's page and files, each with an ETag so that a browser asks again but loads once; resolves to false
 * when there is no file of that name. Only GET and HEAD are to be handed in.
 */
export function createConsole(): (request: IncomingMessage, response: ServerResponse) => Promise<boolean> {
  const assets = withoutWarnings(readAssets);
  return async (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] as string;
    const found = assets.get(path);
    if (!found) return false;
    response.setHeader('etag', found.etag);
    response.setHeader('cache-control', 'no-cache');
    if (request.headers['if-none-match'] === found.etag) {
      response.writeHead(304).end();
      return true;
    }
    response.writeHead(200, { 'content-type': found.type, 'content-length': found.body.length });
    response.end(request.method === 'HEAD' ? undefined : found.body);
    return true;
  };
}

/** Runs `read` without Node's word that stripping types is experimental: people at the terminal can do nothing about it. */
function withoutWarnings<T>(read: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return read();
  } finally {
    process.emitWarning = emitWarning;
  }
}
