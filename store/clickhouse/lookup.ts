import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { ClickHouseError, type ClickHouseSettings, parseError } from '@clickhouse/client';
import { toSearchParams } from '@clickhouse/client/dist/common/utils/url.js';

/** Longer ones could be refused by a proxy. */
const MAX_PATH = 16 * 1024;
/** Larger results are streamed. */
const MAX_RESULT = '16000000';
/** ClickHouse: the limit of the result is exceeded. */
const TOO_MANY_BYTES = '396';
const TIMEOUT_MS = 330_000;

interface Server {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly database: string;
}

interface Lookup {
  readonly query: string;
  readonly query_params: Record<string, unknown>;
  readonly query_id: string;
  readonly clickhouse_settings: ClickHouseSettings;
  readonly abort_signal?: AbortSignal;
}

/**
 * Sends queries that look up a few rows. The client's own way waits a millisecond before each request, and streams both bodies, which
 * is a third of what such a query costs (`bench/case.ts`).
 */
export class Lookups {
  readonly #server: Server;
  readonly #url: URL;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(server: Server) {
    this.#server = server;
    this.#url = new URL(server.url);
    const options = { keepAlive: true, maxSockets: 64, timeout: 2_500 };
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /** The rows as the text of JSON lines has them; undefined when the parameters or the result are too large for this way. Throws ClickHouseError. */
  async rows(lookup: Lookup): Promise<unknown[] | undefined> {
    const search = toSearchParams({
      database: this.#server.database,
      query_params: lookup.query_params,
      query_id: lookup.query_id,
      // So that a failure is one by its status, and not somewhere in the rows.
      clickhouse_settings: {
        ...lookup.clickhouse_settings,
        wait_end_of_query: 1,
        max_result_bytes: MAX_RESULT,
      },
    }).toString();
    if (search.length > MAX_PATH) return undefined;
    const body = await this.#post(search, `${lookup.query}\nFORMAT JSONEachRow`, lookup.abort_signal).catch(
      (error: unknown) => {
        if (error instanceof ClickHouseError && error.code === TOO_MANY_BYTES) return undefined;
        throw error;
      },
    );
    if (body === undefined) return undefined;
    return body === ''
      ? []
      : body
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line));
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(search: string, sql: string, signal: AbortSignal | undefined): Promise<string> {
    const { protocol, pathname } = this.#url;
    const { username = this.#url.username, password = this.#url.password } = this.#server;
    const body = Buffer.from(sql);
    return new Promise((resolve, reject) => {
      const request = (protocol === 'https:' ? httpsRequest : httpRequest)(
        this.#url,
        {
          agent: this.#agent,
          method: 'POST',
          path: `${pathname}?${search}`,
          auth: `${username}:${password}`,
          headers: { 'Content-Length': body.length, 'User-Agent': 'closewatch' },
          timeout: TIMEOUT_MS,
          ...(signal === undefined ? {} : { signal }),
        },
        (response) => {
          text(response).then((answer) => {
            if (response.statusCode === 200) resolve(answer);
            else reject(parseError(answer));
          }, reject);
        },
      );
      request.once('timeout', () => request.destroy(new Error('Timeout error.')));
      request.once('error', reject);
      request.end(body);
    });
  }
}
