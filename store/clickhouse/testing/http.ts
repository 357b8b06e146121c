import type { Engine } from '../engine/supervisor.ts';

/** A bare request to an engine: what no client library would send. `search` are the URL's parameters. */
export async function post(
  engine: Pick<Engine, 'url' | 'username' | 'password'>,
  search: Record<string, string>,
  body: string | Uint8Array = '',
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; text: string; bytes: Buffer }> {
  const response = await fetch(`${engine.url}/?${new URLSearchParams(search)}`, {
    method: 'POST',
    body: body as string,
    ...init,
    headers: {
      'X-ClickHouse-User': engine.username,
      'X-ClickHouse-Key': engine.password,
      ...(init.headers as Record<string, string>),
    },
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, text: bytes.toString('utf8'), bytes };
}
