import { App, type BlockAction, type ButtonAction, LogLevel, type Receiver, type webApi } from '@slack/bolt';
import { errorCode } from '../../model/errors.ts';
import type { Principal } from '../../model/principal.ts';
import { dateOf } from '../../model/time.ts';
import type { Logger } from '../../store/logger.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { linkByEmail, principalOfIdentity } from '../../store/postgres/identities.ts';
import { acknowledgeIncident } from '../../store/postgres/incidents.ts';
import { ACKNOWLEDGE, OPEN_CONSOLE } from '../render.ts';
import { escaped } from './blocks.ts';
import { clientOptions } from './sender.ts';

export interface SlackAppDeps {
  readonly postgres: Postgres;
  readonly logger: Logger;
  /** Epoch nanoseconds. */
  readonly now: () => bigint;
  /** Called after an incident changed, so that its message follows at once. */
  readonly changed: () => void;
}

/** Slack's own log, without its debug chatter, in ours. */
export function slackLogger(logger: Logger): NonNullable<webApi.WebClientOptions['logger']> {
  const say =
    (level: 'error' | 'warn' | 'info') =>
    (...parts: unknown[]): void =>
      logger[level === 'info' ? 'debug' : level](
        {
          slack: parts
            .map((part) => (part instanceof Error ? part.message : String(part)))
            .join(' ')
            .slice(0, 500),
        },
        'Slack',
      );
  return {
    debug: () => {},
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    setLevel: () => {},
    getLevel: () => LogLevel.INFO,
    setName: () => {},
  };
}

/** The Bolt app: what happens when somebody presses a button of ours. */
export function createSlackApp(
  config: { botToken: string; apiUrl?: string | undefined; receiver: Receiver },
  deps: SlackAppDeps,
): App {
  const logger = slackLogger(deps.logger);
  const app = new App({
    receiver: config.receiver,
    authorize: async () => ({ botToken: config.botToken }),
    clientOptions: clientOptions({ apiUrl: config.apiUrl, logger }, 2),
    logger,
    ignoreSelf: false,
  });
  app.action<BlockAction<ButtonAction>>(
    { type: 'block_actions', action_id: ACKNOWLEDGE },
    async ({ ack, action, body, client }) => {
      await ack();
      const click = { incident: action.value ?? '', user: body.user.id };
      // Slack takes the click as done once it is acked: whatever goes wrong from here on must be told to who clicked.
      const refusal = await acknowledge(deps, click, () => confirmedEmail(client, click.user)).catch(
        (err: unknown) => {
          deps.logger.error({ err, incident: click.incident }, 'an acknowledgement failed');
          return 'Not acknowledged: something went wrong here. Please try again.';
        },
      );
      const channel = body.channel?.id;
      if (refusal && channel)
        await client.chat.postEphemeral({ channel, user: body.user.id, text: escaped(refusal, 500) });
    },
  );
  app.action({ type: 'block_actions', action_id: OPEN_CONSOLE }, async ({ ack }) => {
    await ack();
  });
  app.error(async (error) => {
    deps.logger.error({ code: error.code, error: error.message.slice(0, 300) }, 'a Slack request failed');
  });
  return app;
}

/** Acknowledges for the Slack user; returns why not, in words for that user. */
async function acknowledge(
  { postgres, logger, now, changed }: SlackAppDeps,
  click: { incident: string; user: string },
  emailOf: () => Promise<string | undefined>,
): Promise<string | undefined> {
  const actor =
    (await principalOfIdentity(postgres, 'slack', click.user)) ??
    (await linkedBySlack(postgres, click.user, await emailOf(), dateOf(now())));
  if (!actor) {
    logger.warn(
      { user: click.user, incident: click.incident },
      'a Slack user who is linked to nobody was refused',
    );
    return 'Not acknowledged: your Slack account is not linked to a Closewatch user. Ask an administrator to link it.';
  }
  if (actor.kind === 'model') return 'Not acknowledged: a model holds no grant.';
  try {
    await acknowledgeIncident(postgres, { incident: click.incident, actor, now: now() });
    changed();
    return undefined;
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'auth.forbidden' && code !== 'state.conflict' && code !== 'not-found') throw error;
    logger.info({ principal: actor.id, incident: click.incident, code }, 'an acknowledgement was refused');
    return `Not acknowledged: ${(error as Error).message}.`;
  }
}

/** Links a Slack user whose address Slack has confirmed to the person who has it. */
const linkedBySlack = async (
  postgres: SlackAppDeps['postgres'],
  user: string,
  verifiedEmail: string | undefined,
  at: Date,
): Promise<Principal | undefined> =>
  verifiedEmail
    ? await linkByEmail(postgres, { provider: 'slack', externalId: user, verifiedEmail }, at)
    : undefined;

/** The address of a member that Slack has confirmed. Undefined when there is none, or the app may not read it (users:read.email). */
async function confirmedEmail(client: webApi.WebClient, user: string): Promise<string | undefined> {
  const found = await client.users.info({ user }).catch(() => undefined);
  const member = found?.user;
  const isOwn =
    member?.is_email_confirmed === true && !member.deleted && !member.is_bot && !member.is_stranger;
  return isOwn ? member.profile?.email : undefined;
}
