import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { ClosewatchError, type Problem } from '../model/errors.ts';
import { dataClass } from '../model/flow.ts';

const port = z.coerce.number().int().min(0).max(65_535);
const secret = z.string().min(1);
/** A token that people choose: what an Authorization header can carry, and nobody guesses. */
const bearerToken = z
  .string()
  .regex(/^[\x21-\x7e]{8,512}$/, 'must be 8 to 512 letters, digits or signs, without blanks');
const bytes = z
  .string()
  .regex(/^\d+(\.\d+)?\s*(MiB|GiB)$/, 'must be a size such as 1 GiB or 512 MiB')
  .transform((text) => Number.parseFloat(text) * (text.endsWith('GiB') ? 2 ** 30 : 2 ** 20));

interface Setting<Schema extends z.ZodType = z.ZodType> {
  readonly env: string;
  readonly schema: Schema;
  readonly secret: boolean;
}

const setting = <Schema extends z.ZodType>(
  env: string,
  schema: Schema,
  describe: string,
  { secret = false } = {},
): Setting<Schema> => ({ env, schema: schema.describe(describe), secret });

/** Every setting: its name in a configuration file, its environment variable, its shape and default. The only reader of `process.env`. */
export const SETTINGS = {
  dataDir: setting(
    'CLOSEWATCH_DATA_DIR',
    z.string().default('./data'),
    'folder of the embedded engines and of the lock',
  ),
  bind: setting(
    'CLOSEWATCH_BIND',
    z.string().default('127.0.0.1'),
    'address on which the collector and the API listen',
  ),
  collectorPort: setting(
    'CLOSEWATCH_COLLECTOR_PORT',
    port.default(4318),
    'OTLP/HTTP and CloudEvents; 0 takes any free port',
  ),
  grpcPort: setting('CLOSEWATCH_GRPC_PORT', port.default(4317), 'OTLP/gRPC; 0 takes any free port'),
  apiPort: setting(
    'CLOSEWATCH_API_PORT',
    port.default(4000),
    'GraphQL, console and Slack; 0 takes any free port',
  ),
  enginePort: setting(
    'CLOSEWATCH_ENGINE_PORT',
    port.default(8123),
    'HTTP port of the embedded engine, on loopback; 0 takes any free port',
  ),
  engineMemory: setting(
    'CLOSEWATCH_ENGINE_MEMORY',
    bytes.prefault('1 GiB'),
    'memory that the embedded engine may use; it is restarted well above it',
  ),
  publicUrl: setting(
    'CLOSEWATCH_PUBLIC_URL',
    z.url().optional(),
    'how people reach the console; used in links',
  ),
  adminToken: setting(
    'CLOSEWATCH_ADMIN_TOKEN',
    bearerToken.optional(),
    'bearer token of the administrator; left out: generated and printed once',
    { secret: true },
  ),
  ingestToken: setting(
    'CLOSEWATCH_INGEST_TOKEN',
    bearerToken.optional(),
    'a bearer token that may send for every source; left out: generated and printed once',
    { secret: true },
  ),
  secretsKey: setting(
    'CLOSEWATCH_SECRETS_KEY',
    z.string().min(32, 'must have 32 characters or more').optional(),
    'seals the signing secrets of senders in the database, the same for all processes; left out: a key made in the data directory',
    { secret: true },
  ),
  flowsDir: setting(
    'CLOSEWATCH_FLOWS_DIR',
    z.string().optional(),
    'folder of flow files and companies.yaml; left out: the flows that come with Closewatch',
  ),
  detectEverySeconds: setting(
    'CLOSEWATCH_DETECT_SECONDS',
    z.coerce.number().int().min(1).max(3600).default(15),
    'time between two passes of detection, in seconds',
  ),
  groupWaitSeconds: setting(
    'CLOSEWATCH_GROUP_WAIT_SECONDS',
    z.coerce.number().int().min(0).max(3600).default(60),
    'how long an incident gathers exceptions before it is told, in seconds',
  ),
  logLevel: setting(
    'CLOSEWATCH_LOG_LEVEL',
    z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    'least severe log line that is written',
  ),
  clickhouseUrl: setting(
    'CLICKHOUSE_URL',
    z.url({ protocol: /^https?$/ }).optional(),
    'a ClickHouse server, user and password in the URL; left out: the embedded engine',
    { secret: true },
  ),
  clickhouseDatabase: setting(
    'CLICKHOUSE_DATABASE',
    z
      .string()
      .regex(/^[A-Za-z_]\w*$/)
      .default('closewatch'),
    'database on the ClickHouse server',
  ),
  databaseUrl: setting(
    'DATABASE_URL',
    z.url({ protocol: /^postgres(ql)?$/ }).optional(),
    'a PostgreSQL server; left out: the embedded one',
    { secret: true },
  ),
  redisUrl: setting(
    'REDIS_URL',
    z.url({ protocol: /^rediss?$/ }).optional(),
    'Redis for the queue; left out: the PostgreSQL in use',
    { secret: true },
  ),
  openaiApiKey: setting(
    'OPENAI_API_KEY',
    secret.optional(),
    'key of the language model; left out: the rules alone write assessments',
    { secret: true },
  ),
  openaiBaseUrl: setting(
    'OPENAI_BASE_URL',
    z.url().optional(),
    'endpoint of the language model, OpenAI-compatible',
  ),
  openaiModel: setting(
    'OPENAI_MODEL',
    z.string().min(1).optional(),
    'name of the language model; required with the key',
  ),
  slackBotToken: setting(
    'SLACK_BOT_TOKEN',
    secret.optional(),
    'bot token; left out: messages stay in the outbox of the console',
    { secret: true },
  ),
  slackSigningSecret: setting(
    'SLACK_SIGNING_SECRET',
    secret.optional(),
    'checks that button clicks come from Slack',
    { secret: true },
  ),
  slackAppToken: setting(
    'SLACK_APP_TOKEN',
    secret.optional(),
    'app-level token: receive clicks over Socket Mode',
    { secret: true },
  ),
  slackChannel: setting(
    'SLACK_CHANNEL',
    z.string().optional(),
    'channel id for incidents; required with the bot token',
  ),
  otlpEndpoint: setting(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    z.url({ protocol: /^https?$/ }).optional(),
    "where Closewatch's own spans go, over OTLP/HTTP; /v1/traces is added. Left out: none are made",
  ),
  otlpTracesEndpoint: setting(
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    z.url({ protocol: /^https?$/ }).optional(),
    'the same with its path, and before the other',
  ),
  slackApiUrl: setting('SLACK_API_URL', z.url().optional(), 'another address of the Slack Web API'),
  oidcIssuer: setting(
    'OIDC_ISSUER',
    z.url({ protocol: /^https?$/ }).optional(),
    'OpenID Connect issuer whose tokens let people in; left out: none does',
  ),
  oidcAudience: setting(
    'OIDC_AUDIENCE',
    z.string().min(1).optional(),
    'whom the tokens of the issuer must be for; required with it',
  ),
  acknowledgedHours: setting(
    'CLOSEWATCH_ACKNOWLEDGED_HOURS',
    z.coerce.number().min(0).max(8_760).default(24),
    'hours after which an acknowledgement ends while exceptions are open; 0: never',
  ),
  modelTokensPerDay: setting(
    'CLOSEWATCH_MODEL_TOKENS_PER_DAY',
    z.coerce.number().int().min(0).default(2_000_000),
    'tokens that the model may use in a day (UTC), of all companies together',
  ),
  modelTokensPerCompany: setting(
    'CLOSEWATCH_MODEL_TOKENS_PER_COMPANY',
    z.coerce.number().int().min(0).default(500_000),
    'tokens that the model may use in a day (UTC) for one company',
  ),
  modelWithout: setting(
    'CLOSEWATCH_MODEL_WITHOUT',
    z
      .string()
      .transform((text) => text.split(',').flatMap((word) => word.trim() || []))
      .pipe(z.array(dataClass))
      .default([]),
    'classes of data (dataClasses of flow files) about which no model is asked, with commas: payroll,bank-details',
  ),
  modelPrice: setting(
    'CLOSEWATCH_MODEL_PRICE',
    z
      .string()
      .regex(/^\d+(\.\d+)?\/\d+(\.\d+)?$/, 'must be two numbers such as 2.50/10')
      .transform((text) => {
        const [input = 0, output = 0] = text.split('/').map(Number);
        return { input, output };
      })
      .optional(),
    'price of a million tokens, in and out: 2.50/10',
  ),
  modelCostPerDay: setting(
    'CLOSEWATCH_MODEL_COST_PER_DAY',
    z.coerce.number().positive().optional(),
    'the most that the model may cost in a day, in the currency of the price',
  ),
  ticketUrl: setting(
    'CLOSEWATCH_TICKET_URL',
    z.url({ protocol: /^https?$/ }).optional(),
    'where approved actions open tickets: a webhook that takes JSON',
  ),
  signingSecret: setting(
    'CLOSEWATCH_SIGNING_SECRET',
    z
      .string()
      .regex(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/, 'must be whsec_ and base64')
      .optional(),
    'signs what approved actions send to others, as Standard Webhooks says',
    { secret: true },
  ),
} as const satisfies Record<string, Setting>;

type Settings = typeof SETTINGS;
const shape = Object.fromEntries(Object.entries(SETTINGS).map(([name, { schema }]) => [name, schema])) as {
  [Name in keyof Settings]: Settings[Name]['schema'];
};

type Values = z.infer<ReturnType<typeof z.strictObject<typeof shape>>>;

/** What the parts get: the settings, with those of the model, of the issuer and of Slack joined; each is undefined when it is not set up. */
export type Config = Values & {
  readonly model: { apiKey: string; baseUrl: string | undefined; model: string } | undefined;
  readonly oidc: { issuer: string; audience: string } | undefined;
  readonly slack:
    | {
        botToken: string;
        signingSecret: string | undefined;
        appToken: string | undefined;
        channel: string;
        apiUrl: string | undefined;
      }
    | undefined;
};

const byEnv = new Map<string, string>(Object.entries(SETTINGS).map(([name, { env }]) => [env, name]));
/** Variables with our prefix that are read elsewhere: by the tests and the container. */
const OTHERS = new Set(['CLOSEWATCH_CONFIG', 'CLOSEWATCH_FIXTURES']);
/**
 * What the tests read, and what Kubernetes sets in every pod beside a Service named `closewatch`
 * (kubernetes.io/docs/tutorials/services/connect-applications-service, Environment Variables).
 */
const NOT_OURS = /^CLOSEWATCH_(TEST_.*|SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_.*)?)$/;

function fromEnvironment(env: NodeJS.ProcessEnv, problems: Problem[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '') continue;
    const plain = byEnv.get(name);
    const file = name.endsWith('_FILE') ? byEnv.get(name.slice(0, -5)) : undefined;
    if (plain) values[plain] = value;
    else if (file && (SETTINGS as Record<string, Setting>)[file]?.secret) {
      try {
        values[file] = readFileSync(value, 'utf8').trim();
      } catch (error) {
        problems.push({ where: name, what: `cannot read the file: ${(error as Error).message}` });
      }
    } else if (name.startsWith('CLOSEWATCH_') && !OTHERS.has(name) && !NOT_OURS.test(name)) {
      problems.push({ where: name, what: 'is no setting of Closewatch' });
    }
  }
  return values;
}

function fromFile(path: string, problems: Problem[]): Record<string, unknown> {
  const document = parseDocument(readFileSync(path, 'utf8'));
  for (const error of document.errors) problems.push({ where: path, what: error.message });
  const values: unknown = document.toJS();
  if (values === null || values === undefined) return {};
  if (typeof values !== 'object' || Array.isArray(values)) {
    problems.push({ where: path, what: 'must be a mapping of settings' });
    return {};
  }
  return values as Record<string, unknown>;
}

/**
 * Reads the settings once: a YAML file (`CLOSEWATCH_CONFIG`) below the environment below `overrides` (flags). Secrets may
 * be given as `<NAME>_FILE`. Throws `config.invalid` with every problem and where it is; unknown names are problems.
 */
export function readConfig(env: NodeJS.ProcessEnv, overrides: Record<string, unknown> = {}): Config {
  const problems: Problem[] = [];
  const file = env.CLOSEWATCH_CONFIG;
  const given = {
    ...(file ? fromFile(file, problems) : {}),
    ...fromEnvironment(env, problems),
    ...Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined)),
  };
  const parsed = z.strictObject(shape).safeParse(given);
  for (const issue of parsed.error?.issues ?? []) {
    const name = String(issue.path[0] ?? '');
    problems.push({
      where: (SETTINGS as Record<string, Setting>)[name]?.env ?? (name || 'configuration'),
      what: issue.message,
    });
  }
  const values = parsed.data;
  if (values?.openaiApiKey && !values.openaiModel) {
    problems.push({ where: 'OPENAI_MODEL', what: 'is required with OPENAI_API_KEY' });
  }
  if (values?.oidcIssuer && !values.oidcAudience) {
    problems.push({ where: 'OIDC_AUDIENCE', what: 'is required with OIDC_ISSUER' });
  }
  if (values?.slackBotToken && !values.slackChannel) {
    problems.push({ where: 'SLACK_CHANNEL', what: 'is required with SLACK_BOT_TOKEN' });
  }
  if (!values || problems.length > 0) {
    const list = problems.map(({ where, what }) => `  ${where}: ${what}`).join('\n');
    throw new ClosewatchError('config.invalid', `the configuration has problems:\n${list}`, { problems });
  }
  return {
    ...values,
    dataDir: resolve(values.dataDir),
    model:
      values.openaiApiKey && values.openaiModel
        ? { apiKey: values.openaiApiKey, baseUrl: values.openaiBaseUrl, model: values.openaiModel }
        : undefined,
    oidc:
      values.oidcIssuer && values.oidcAudience
        ? { issuer: values.oidcIssuer, audience: values.oidcAudience }
        : undefined,
    slack:
      values.slackBotToken && values.slackChannel
        ? {
            botToken: values.slackBotToken,
            signingSecret: values.slackSigningSecret,
            appToken: values.slackAppToken,
            channel: values.slackChannel,
            apiUrl: values.slackApiUrl,
          }
        : undefined,
  };
}
