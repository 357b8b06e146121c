import { defineCommand } from 'citty';
import { kindOfModel } from '../collector/odoo/kinds.ts';
import { typeMatcher } from '../model/event-pattern.ts';
import { typesOf } from '../model/expectation.ts';
import { type Catalogue, readCatalogue } from './catalogue.ts';
import { type Check, note, ok, printed, problem } from './doctor-checks.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { examineOdooTask } from './odoo-examination.ts';
import { type ListedOdoo, listOdoosTask } from './odoo-tasks.ts';
import { runTask } from './run-task.ts';
import { findRunning } from './running.ts';

export default defineCommand({
  meta: {
    name: 'doctor',
    description:
      'Explain how the watch over each Odoo goes: reach, rights, rounds, history, webhooks, rules that do not apply',
  },
  args: {
    name: {
      type: 'positional',
      required: false,
      description: 'one of them: prod of /odoo/prod; left out: all',
    },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const config = configOf(args);
      const all = await runTask(listOdoosTask, {}, config);
      const wanted = all.filter(
        ({ source }) => !args.name || [args.name, `/odoo/${args.name}`].includes(source),
      );
      const isRunning = (await findRunning(config.dataDir)) !== undefined;
      const catalogue = await readCatalogue(config);
      const reports = [];
      for (const one of wanted) {
        const { checks: live } = await runTask(examineOdooTask, { source: one.source }, config);
        reports.push({
          source: one.source,
          checks: [...live, ...examineState(one, isRunning, catalogue, new Date())],
        });
      }
      const isWell = reports.every(({ checks }) => checks.every(({ state }) => state !== 'problem'));
      if (args.json) process.stdout.write(`${JSON.stringify({ ok: isWell, odoos: reports })}\n`);
      else if (reports.length === 0) process.stdout.write('No Odoo is connected: closewatch odoo connect\n');
      else for (const { source, checks } of reports) process.stdout.write(`${source}\n${printed(checks)}\n`);
      return isWell ? EXIT.ok : EXIT.failed;
    }),
});

const MINUTE_MS = 60_000;
/** A round is due every half minute, more seldom while Odoo is slow. */
const SILENT_MS = 10 * MINUTE_MS;

/** What the rounds say that were made of it. Pure. */
export function examineState(
  one: Pick<ListedOdoo, 'source' | 'state' | 'hasHooks' | 'hasWriter' | 'hookRequests'>,
  isRunning: boolean,
  { flows }: Pick<Catalogue, 'flows'>,
  now: Date,
): Check[] {
  const { state } = one;
  const checks: Check[] = [];
  const ago = (at: string): string =>
    `${Math.max(0, Math.round((now.getTime() - Date.parse(at)) / 1000))} s ago`;
  if (state.error)
    checks.push(
      problem(
        'rounds',
        `fail since ${state.error.since} with ${state.error.code}: ${state.error.message}`,
        ADVICE[state.error.code],
      ),
    );
  else if (!state.roundEndedAt)
    checks.push(
      note(
        'rounds',
        'there was none yet',
        isRunning ? 'the first one ends within a minute' : 'start Closewatch',
      ),
    );
  else {
    const finding = `the last one ended ${ago(state.roundEndedAt)}, took ${state.roundMs} ms and ${state.roundCalls} calls`;
    const isSilent = now.getTime() - Date.parse(state.roundEndedAt) > SILENT_MS;
    checks.push(isSilent ? problem('rounds', finding, 'does a collector run?') : ok('rounds', finding));
  }
  checks.push(
    state.completeUpTo
      ? ok(
          'complete up to',
          `${state.completeUpTo} (settle time ${Math.round((state.settleMs ?? 0) / MINUTE_MS)} min)`,
        )
      : note(
          'complete up to',
          'nothing yet',
          'it is assured when the past was read, or the settle time has passed',
        ),
  );
  if (Math.abs(state.clockOffsetMs ?? 0) > MINUTE_MS)
    checks.push(
      note(
        'clock',
        `Odoo's clock differs by ${Math.round((state.clockOffsetMs ?? 0) / 1000)} s`,
        'keep both in step (NTP)',
      ),
    );
  if (state.lateRows > 0)
    checks.push(
      note(
        'late records',
        `${state.lateRows} became visible later than promised`,
        'transactions last long there: the settle time was widened',
      ),
    );
  if (state.backfill && !state.backfill.finishedAt)
    checks.push(note('past', `${state.backfill.done} of ${state.backfill.total} records read`));
  else if (state.backfill) checks.push(ok('past', `read, ${state.backfill.done} records`));
  checks.push(webhooks(one));
  for (const { model, state: how, module, missing } of state.models) {
    if (how !== 'ready') {
      const rules = notApplicable(model, state, flows);
      const why = how === 'absent' ? `is not there${module ? ` (module ${module})` : ''}` : 'may not be read';
      checks.push(
        note(
          model,
          why,
          rules.length > 0 ? `not applicable: ${rules.join(', ')}` : 'no rule of this catalogue needs it',
        ),
      );
    } else if (missing.length > 0)
      checks.push(note(model, `has no ${missing.join(', ')}`, 'changed by a module or an upgrade'));
  }
  return checks;
}

const ADVICE: Readonly<Record<string, string>> = {
  'odoo.credentials':
    "the reader's password or key no longer holds: disconnect with --forget and connect again",
  'odoo.unreachable': 'is Odoo up, and is the address right from here?',
  'odoo.access': 'the reader lost a right: is it still in the group "Closewatch reader"?',
  'odoo.busy': 'Odoo asks for a rest; --calls-per-second of connect asks it less',
  'odoo.timeout': 'Odoo answers slowly; --calls-per-second of connect asks it less',
};

function webhooks({
  hasHooks,
  hookRequests,
  state: { hooks },
}: Pick<ListedOdoo, 'hasHooks' | 'hookRequests' | 'state'>): Check {
  if (!hasHooks) return note('webhooks', 'none: changes are found by polling');
  const finding = `${hookRequests} came, ${hooks.confirmed} records confirmed, ${hooks.phantoms} phantoms, ${hooks.late} late, ${hooks.missed} missed`;
  const advice =
    'Odoo must reach the address of its rules (Settings, Technical, Automation Rules), and does not ask twice';
  if (hooks.missed > hooks.confirmed) return problem('webhooks', finding, advice);
  return hooks.missed > 0 ? note('webhooks', finding, advice) : ok('webhooks', finding);
}

/** Rules that need an event which only this model tells. */
function notApplicable(model: string, state: ListedOdoo['state'], flows: Catalogue['flows']): string[] {
  const told = new Set(
    state.models.filter((one) => one.state === 'ready').flatMap((one) => kindOfModel(one.model)?.types ?? []),
  );
  const lost = (kindOfModel(model)?.types ?? []).filter((type) => !told.has(type));
  return flows
    .flatMap(({ expectations }) => expectations)
    .filter((rule) => lost.some(typeMatcher(typesOf(rule))))
    .map(({ id }) => id);
}
