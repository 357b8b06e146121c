import { type IncomingHttpHeaders, request } from 'node:http';
import { type HttpServer, listen } from '../cli/http.ts';
import { otlpConfig } from '../collector/otlp/config.ts';
import { createOtlpHandler } from '../collector/otlp/handler.ts';
import { createOtlpReceiver, type OtlpReceiver as Receiver } from '../collector/otlp/receiver.ts';
import { ClosewatchError } from '../model/errors.ts';
import { type ClickHouse, connectClickHouse } from '../store/clickhouse/client.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { openTelemetry, type TelemetryStore } from '../store/clickhouse/telemetry.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { openTraces, type TraceStore } from '../store/clickhouse/traces.ts';
import type { Arrived, Lost } from '../store/intake/sums.ts';
import { decodeRequest, encodeRequest, RpcStatus, rowsOf } from './otlp-proto.ts';

export const TOKEN = 'cw_test-token';
export const PROTOBUF = 'application/x-protobuf';
export const JSON_TYPE = 'application/json';

/** OTLP receivers on free ports before an embedded engine. */
export interface OtlpReceiver {
  readonly clickhouse: ClickHouse;
  readonly traces: TraceStore;
  readonly telemetry: TelemetryStore;
  readonly handler: Receiver;
  readonly url: string;
  /** What was logged, as JSON. */
  readonly logged: string[];
  /** What was told of arrivals and losses, of all receivers. */
  readonly arrived: Arrived[];
  readonly lost: Lost[];
  /** One more receiver, with these settings, that stores there. */
  serve(settings: object, store: TelemetryStore): Promise<[handler: Receiver, url: string]>;
  stop(): Promise<void>;
}

export async function startReceiver(): Promise<OtlpReceiver> {
  const engine = await temporaryEngine();
  const clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
  const traces = openTraces(clickhouse);
  const telemetry = openTelemetry(clickhouse);
  const logged: string[] = [];
  const arrived: Arrived[] = [];
  const lost: Lost[] = [];
  const servers: HttpServer[] = [];
  const log = (fields: object, message: string) => {
    logged.push(JSON.stringify([message, fields]));
  };
  const serve = async (settings: object, store: TelemetryStore): Promise<[Receiver, string]> => {
    const handler = createOtlpReceiver(otlpConfig.parse(settings), {
      telemetry: store,
      intake: {
        arrived: (what) => void arrived.push(what),
        lost: (what) => void lost.push(what),
      },
      logger: { error: log, warn: log, info: log, debug: log },
    });
    const handle = createOtlpHandler(handler, async (req) => {
      if (!req.headers.authorization) throw new ClosewatchError('auth.missing', 'a token is needed');
      if (req.headers.authorization !== `Bearer ${TOKEN}`)
        throw new ClosewatchError('auth.invalid', 'the token is unknown');
      return { source: 'test', tokenId: '1' };
    });
    const fail = (error: unknown) => log({ error }, 'the handler failed');
    const server = await listen(handle, { host: '127.0.0.1', port: 0, onError: fail });
    servers.push(server);
    return [handler, server.url];
  };
  const [handler, url] = await serve({}, telemetry);
  const stop = async () => {
    await handler.close();
    await Promise.all(servers.map((server) => server.close(0)));
    await clickhouse.close();
    await engine.remove();
  };
  return { clickhouse, traces, telemetry, handler, url, logged, arrived, lost, serve, stop };
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** Posts to `/v1/traces`, with the token and as protobuf unless the headers say otherwise. */
export function post(url: string, body: Uint8Array | string, headers: Record<string, string> = {}) {
  const all = { authorization: `Bearer ${TOKEN}`, 'content-type': PROTOBUF, ...headers };
  return send(`${url}/v1/traces`, 'POST', all, body);
}

export function send(
  url: string,
  method: string,
  headers: Record<string, string>,
  body?: Uint8Array | string,
) {
  return new Promise<Answer>((done, fail) => {
    const req = request(url, { method, headers }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('end', () =>
        done({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks) }),
      );
    });
    req.on('error', fail);
    req.end(body);
  });
}

/** The google.rpc.Status of an answer. */
export const statusOf = ({ body, headers }: Answer): unknown =>
  headers['content-type'] === JSON_TYPE ? JSON.parse(body.toString()) : RpcStatus.decode(body).toJSON();

let lastId = 0;
/** A span of a trace of its own, unless told otherwise. */
export function span(fields: object = {}): { traceId: Buffer; spanId: Buffer } & Record<string, unknown> {
  const traceId = Buffer.alloc(16, 0xab);
  traceId.writeUInt32BE(++lastId, 12);
  const spanId = Buffer.alloc(8, 0xcd);
  spanId.writeUInt32BE(lastId, 4);
  const start = '1700000000123456789';
  return { traceId, spanId, name: 'a span', startTimeUnixNano: start, endTimeUnixNano: start, ...fields };
}
/** A request of these spans. */
export const requestOf = (...spans: object[]) =>
  encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

/** The trace id of the span `index` of a request. */
export const hexOf = (body: Buffer, index = 0): string =>
  rowsOf(decodeRequest(body))[index]?.TraceId as string;
