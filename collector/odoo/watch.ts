import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepHints } from '../../store/postgres/odoo-hints.ts';
import { listOdooSources, type OdooSource } from '../../store/postgres/odoo-sources.ts';
import { Spool } from './spool.ts';
import { Watcher, type WatcherDeps } from './watcher.ts';
import { createWebhookHandler, type HookOutcome, type HookSource } from './webhook.ts';

/** All Odoos that are watched, and the door for their webhooks. */
export interface OdooWatch {
  /** `POST /odoo/<name>/<secret>`. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** One round of every Odoo, with its webhooks: resolves when all that Odoo showed before the call is accepted. */
  once(): Promise<void>;
  /** Takes no more webhooks, ends what is under way. */
  close(): Promise<void>;
}

export interface OdooWatchDeps extends WatcherDeps {
  /** Where hints wait until the database has them. */
  readonly spoolFolder: string;
  /** Bytes of hints that may wait there. */
  readonly maxSpoolBytes: number;
  /** Without it nothing runs by itself; the caller calls `once`. */
  readonly isScheduled: boolean;
}

const RELOAD_EVERY_MS = 3_000;
const MOVE_EVERY_MS = 200;
const RETRY_MS = 2_000;

/**
 * Watches every Odoo that is connected: those that are connected or disconnected while it runs are taken up or left within seconds. Webhooks
 * are answered from the spool, and moved on into the database.
 */
export async function openOdooWatch(deps: OdooWatchDeps): Promise<OdooWatch> {
  const { postgres, logger, counters, intake, isScheduled } = deps;
  const spool = new Spool(deps.spoolFolder, { maxBytes: deps.maxSpoolBytes });
  const watchers = new Map<string, { readonly watcher: Watcher; readonly print: string }>();
  let hooked = new Map<string, HookSource>();
  const stopping = new AbortController();

  /** Takes up the Odoos that are new, or connected otherwise, and leaves those that are gone. */
  async function reload(): Promise<false> {
    const sources = await listOdooSources(postgres);
    hooked = hookedOf(sources);
    const wanted = new Map(sources.map((source) => [source.source, source]));
    for (const [name, { watcher, print }] of watchers) {
      const source = wanted.get(name);
      if (source && printOf(source) === print) continue;
      watchers.delete(name);
      await watcher.stop();
    }
    for (const source of sources) {
      if (watchers.has(source.source)) continue;
      const watcher = new Watcher(source, deps);
      watchers.set(source.source, { watcher, print: printOf(source) });
      if (isScheduled) watcher.start();
    }
    return false;
  }

  /** Moves what waits in the spool into the database; false when nothing waited. */
  async function moveHints(): Promise<boolean> {
    const segment = await spool.take();
    if (!segment) return false;
    const hints = segment.hints.map(({ at, ...hint }) => ({ ...hint, at: new Date(at) }));
    if (hints.length > 0) await keepHints(postgres, hints);
    await segment.done();
    return true;
  }

  /** Does the work now and again, at once while there is more of it. */
  async function every(ms: number, what: string, work: () => Promise<boolean>): Promise<void> {
    while (!stopping.signal.aborted) {
      let pause = ms;
      try {
        if (await work()) pause = 0;
      } catch (err) {
        logger.warn({ err }, what);
        pause = RETRY_MS;
      }
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  const onHook = (outcome: HookOutcome, source: string | undefined): void => {
    counters?.add('closewatch_odoo_hook_requests', { outcome });
    if (outcome === 'full' && source)
      intake?.lost({ source, stream: 'webhooks', reason: 'spool-full', records: 1 });
  };
  const handle = createWebhookHandler({ spool, sourceOf: (name) => hooked.get(name), onHook });
  await reload();
  const loops = isScheduled
    ? [
        every(RELOAD_EVERY_MS, 'the Odoos to watch could not be listed', reload),
        every(
          MOVE_EVERY_MS,
          'webhooks could not be moved to the database yet; they wait in the spool',
          moveHints,
        ),
      ]
    : [];

  return {
    handle,
    async once() {
      await reload();
      while (await moveHints());
      for (const { watcher } of watchers.values()) await watcher.once();
    },
    async close() {
      await spool.close();
      stopping.abort();
      await Promise.all([...loops, ...[...watchers.values()].map(({ watcher }) => watcher.stop())]);
    },
  };
}

/** What a watcher has to be made anew for. */
const printOf = ({ state: _, hookRequests: __, lastHookAt: ___, ...source }: OdooSource): string =>
  JSON.stringify(source);

/** By the name in the address, `prod` of `/odoo/prod`. */
const hookedOf = (sources: readonly OdooSource[]): Map<string, HookSource> =>
  new Map(
    sources.flatMap(({ source, hookHash }) =>
      hookHash === undefined
        ? []
        : [[source.replace(/^\/odoo\//, ''), { source, secretHash: Buffer.from(hookHash, 'hex') }] as const],
    ),
  );
