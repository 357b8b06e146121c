import { defineCommand } from 'citty';
import { commonFlags, configOf, EXIT, exitCodeOf } from './flags.ts';
import { createLogger } from './logger.ts';
import { type Running, startUp } from './start-up.ts';

export default defineCommand({
  meta: {
    name: 'up',
    description: 'Run everything in one process until SIGTERM: collector, analysis, API, console, alerts',
  },
  args: {
    ...commonFlags,
    'collector-port': {
      type: 'string',
      description: 'OTLP/HTTP and CloudEvents (CLOSEWATCH_COLLECTOR_PORT, default 4318)',
    },
    'grpc-port': { type: 'string', description: 'OTLP/gRPC (CLOSEWATCH_GRPC_PORT, default 4317)' },
    'api-port': { type: 'string', description: 'GraphQL and console (CLOSEWATCH_API_PORT, default 4000)' },
    'flows-dir': { type: 'string', description: 'flow files and companies.yaml (CLOSEWATCH_FLOWS_DIR)' },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const config = configOf(args, {
        collectorPort: args['collector-port'],
        grpcPort: args['grpc-port'],
        apiPort: args['api-port'],
        flowsDir: args['flows-dir'],
      });
      const ended = untilSignal();
      const running = await startUp(config, createLogger(config.logLevel));
      process.stdout.write(greeting(running));
      await ended;
      await running.stop().finally(endSoon);
      return EXIT.ok;
    }),
});

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(130);
        asked = true;
        resolve();
      });
    }
  });
}

const LEFT_BEHIND_MS = 5_000;

/** Ends the process though something was left behind at a deadline, a connection that still tries or a client that never came back. */
export function endSoon(): void {
  setTimeout(() => process.exit(), LEFT_BEHIND_MS).unref();
}

/** What a person who started it needs: where things are, and the secrets that are shown once. */
export function greeting(running: Running): string {
  const { config } = running.stores;
  const lines = [
    '',
    'Closewatch is up.',
    '',
    `  console    ${running.apiUrl}`,
    `  sign in    ${running.signInLink()}   (works once, for 15 minutes)`,
    `  GraphQL    ${running.apiUrl}/graphql`,
    `  OTLP       ${running.collectorUrl}/v1/traces, /v1/logs, /v1/metrics; gRPC on port ${running.collector.grpcPort}`,
    `  events     ${running.collectorUrl}/v1/events`,
    `  Odoo       ${running.odoos.length === 0 ? 'none yet: npm run closewatch -- odoo connect' : running.odoos.join(', ')}`,
    `  data       ${config.dataDir}`,
  ];
  if (running.isAdminTokenNew) {
    lines.push('', `  Administrator's token, shown once: ${running.adminToken}`);
  }
  if (running.newIngestToken) {
    lines.push(
      '',
      `  Ingest token, shown once: ${running.newIngestToken}`,
      '  Point an OpenTelemetry SDK at it:',
      `    export OTEL_EXPORTER_OTLP_ENDPOINT=${running.collectorUrl}`,
      `    export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20${running.newIngestToken}"`,
      '  Make one for each sender: npm run closewatch -- token create --source /ocr/prod',
    );
  }
  return `${lines.join('\n')}\n\n`;
}
