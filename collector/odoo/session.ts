import { connectOdoo, type Odoo, type OdooCall } from '../../odoo/client.ts';
import {
  inspectModels,
  type ModelReport,
  pictureOf,
  type SchemaPicture,
  schemaChanges,
} from '../../odoo/inspect.ts';
import { odooPace } from '../../odoo/pace.ts';
import type { Intake } from '../../store/intake/intake.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import type { Inbox } from '../../store/postgres/inbox.ts';
import { type OdooSource, readerOf } from '../../store/postgres/odoo-sources.ts';
import type { Sealer } from '../../store/sealed.ts';
import { accountText, openBankStandIns } from '../account-stand-ins.ts';
import { type History, openHistory } from './history.ts';
import { openLines } from './lines.ts';
import { Observer } from './observer.ts';
import { Poller, type PollerDeps } from './poller.ts';
import { schemaEvents } from './schema-events.ts';
import { type NamedCompany, OdooWorld } from './surroundings.ts';

/** What it takes to read an Odoo. */
export interface SessionDeps {
  readonly postgres: Postgres;
  readonly inbox: Pick<Inbox, 'accept'>;
  readonly sealer: Sealer;
  readonly intake?: Intake | undefined;
  readonly companies: readonly NamedCompany[];
  readonly now: () => Date;
  readonly onCall: (call: OdooCall) => void;
  readonly onChanged: (odoo: Odoo, ...told: Parameters<NonNullable<PollerDeps['onChanged']>>) => void;
  readonly onLate: NonNullable<PollerDeps['onLate']>;
}

/** An Odoo that one is signed in to as its reader, with all that is known of it. */
export interface Session {
  readonly odoo: Odoo;
  readonly world: OdooWorld;
  readonly history: History;
  readonly observer: Observer;
  readonly poller: Poller;
  readonly inspection: Inspection;
}

/** What an Odoo has of what we read. */
export interface Inspection {
  readonly reports: readonly ModelReport[];
  readonly picture: SchemaPicture;
}

/** Signs in and finds out what there is and may be read. Throws what Odoo and the stores throw. */
export async function openSession(configured: OdooSource, deps: SessionDeps): Promise<Session> {
  const { postgres, sealer, inbox, intake, companies, now, onCall, onChanged, onLate } = deps;
  const { source, url, database, pace, liveFrom, historyFrom } = configured;
  const { login, secret } = await readerOf(postgres, sealer, source);
  const odoo = await connectOdoo(
    { url, database, login, secret, pace: odooPace.optional().parse(pace) },
    { onCall },
  );
  const world = new OdooWorld(odoo, source, companies);
  await world.load();
  const history = await openHistory(odoo);
  const lines = await openLines(odoo);
  const standIns = await openBankStandIns(postgres, now());
  const standIn = (account: string): string => standIns('account', accountText(account));
  const observer = new Observer({
    ...{ source, odoo, world, history, lines, standIn, postgres, inbox, intake, liveFrom, historyFrom, now },
  });
  const inspection = await inspect(
    { odoo, world, observer },
    source,
    configured.state.picture as SchemaPicture,
  );
  const poller = await Poller.open(
    {
      ...{ source, odoo, postgres, observer, history, liveFrom, now, onLate },
      onChanged: (...told) => onChanged(odoo, ...told),
    },
    inspection.reports,
  );
  return { odoo, world, history, observer, poller, inspection };
}

/** Compares what we read with what there is, and tells what changed since `before`. Throws what Odoo and the stores throw. */
export async function inspect(
  { odoo, world, observer }: Pick<Session, 'odoo' | 'world' | 'observer'>,
  source: string,
  before: SchemaPicture,
): Promise<Inspection> {
  const reports = await inspectModels(odoo);
  const picture = pictureOf(reports);
  const changes = schemaChanges(before, picture);
  const [first] = world.companies;
  const at = odoo.clock.instant();
  if (first && changes.length > 0)
    await observer.tell(schemaEvents(changes, { source, companyKey: first.key, at, url: odoo.url }));
  return { reports, picture };
}
