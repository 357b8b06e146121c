import {
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  type ServiceDefinition,
  status as Status,
} from '@grpc/grpc-js';
import { ClosewatchError } from '../../model/errors.ts';
import type { Sender } from '../../store/postgres/tokens.ts';
import { rpcCodeOf, storedMessage } from './answers.ts';
import { SIGNALS, type Signal } from './decoder.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import type { Failure, OtlpReceiver } from './receiver.ts';
import { VARINT } from './wire.ts';

export interface OtlpGrpc {
  readonly port: number;
  /** Takes no more calls and resolves when those under way are answered, at the latest after `deadlineMs`. */
  close(deadlineMs?: number): Promise<void>;
}

const PATHS: Readonly<Record<Signal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
};
const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';
/** As gRPC's window for one stream is by default; a larger one spares round trips. */
const WINDOW_BYTES = 1 << 20;

/**
 * Serves OTLP/gRPC on `host` and `port` (0: any free one), without encryption: the services' `Export` over the same decoders
 * and the same store as OTLP/HTTP. Who sends is asked before a message is read; `authenticate` throws `auth.*`.
 */
export async function serveOtlpGrpc(
  receiver: OtlpReceiver,
  authenticate: (request: { headers: { authorization?: string | undefined } }) => Promise<Sender>,
  options: { readonly host: string; readonly port: number },
): Promise<OtlpGrpc> {
  const { config, counts } = receiver;
  const senders = new WeakMap<Metadata, Sender>();

  const identify: ServerInterceptor = (_method, call) => {
    // What the library refuses by itself passes here too: a message beyond the limit, a compression that it does not know.
    const send = call.sendStatus.bind(call);
    call.sendStatus = (answer) => {
      if (answer.code !== Status.OK && !told.has(answer.metadata ?? answer))
        receiver.fail(refusalOf(answer.code));
      send(answer);
    };
    return new ServerInterceptingCall(call, {
      start(next) {
        const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, pass) => {
          counts.requests++;
          const [authorization] = metadata.get('authorization').map(String);
          authenticate({ headers: { authorization } })
            .then((sender) => {
              senders.set(metadata, sender);
              pass(metadata);
            })
            .catch((error: unknown) => call.sendStatus(errorOf(receiver.fail(error))));
        });
        next(listener.build());
      },
    });
  };

  const exporterOf =
    (signal: Signal): handleUnaryCall<Buffer, Buffer> =>
    async (call, done) => {
      const sender = senders.get(call.metadata);
      let hold: ReturnType<OtlpReceiver['hold']> | undefined;
      try {
        if (!sender) throw new ClosewatchError('auth.missing', 'an ingest token is needed');
        hold = receiver.hold();
        hold.take(call.request.length);
        const body = new Uint8Array(call.request);
        const request = { signal, encoding: 'application/x-protobuf', gzip: false, body } as const;
        done(null, storedMessage(await receiver.take(sender, request, hold)));
      } catch (error) {
        done(errorOf(receiver.fail(error, { sender, signal })));
      } finally {
        hold?.release();
      }
    };

  const server = new Server({
    'grpc.max_receive_message_length': config.maxBodyBytes,
    'grpc.max_concurrent_streams': config.maxGrpcStreams,
    'grpc-node.flow_control_window': WINDOW_BYTES,
    interceptors: [identify],
  });
  for (const signal of SIGNALS)
    server.addService(exportService(PATHS[signal]), { Export: exporterOf(signal) });
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`${host}:${options.port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return { port, close: (deadlineMs = 10_000) => close(server, deadlineMs) };
}

/** A service with `Export` alone, whose messages stay bytes. */
const exportService = (path: string): ServiceDefinition => ({
  Export: {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
});

/** The metadata of statuses that were counted already. */
const told = new WeakSet<object>();

interface Refused extends Error {
  readonly code: Status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** The status of a failure; `RetryInfo` says when to send it again (OTLP/gRPC, Failures). */
function errorOf({ status, message, retryAfter }: Failure): Refused {
  const metadata = new Metadata();
  const code = status === 400 ? Status.INVALID_ARGUMENT : rpcCodeOf(status);
  if (retryAfter !== undefined)
    metadata.set('grpc-status-details-bin', retryStatus(code, message, retryAfter));
  told.add(metadata);
  return Object.assign(new Error(message), { code, details: message, metadata });
}

function retryStatus(code: number, message: string, seconds: number): Buffer {
  const out = new ProtobufWriter();
  out.tag(1, VARINT);
  out.small(code);
  out.text(2, message);
  const any = out.open(3);
  out.text(1, RETRY_INFO);
  const info = out.open(2);
  const delay = out.open(1);
  out.tag(1, VARINT);
  out.small(seconds);
  out.close(delay);
  out.close(info);
  out.close(any);
  return out.bytes();
}

const refusalOf = (code: number): ClosewatchError =>
  code === Status.RESOURCE_EXHAUSTED
    ? new ClosewatchError('request.too-large', 'the message is too large')
    : new ClosewatchError('request.malformed', 'the call could not be read');

function close(server: Server, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.forceShutdown(), deadlineMs);
    server.tryShutdown(() => {
      clearTimeout(cut);
      resolve();
    });
  });
}
