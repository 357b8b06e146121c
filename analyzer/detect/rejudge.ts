import { setTimeout as sleep } from 'node:timers/promises';
import type { Company } from '../../model/company.ts';
import { ClosewatchError } from '../../model/errors.ts';
import { typesOf } from '../../model/expectation.ts';
import type { BatchSpan, FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { rowsOfBatches } from '../../store/postgres/batches.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { ahead } from './ahead.ts';
import { createApplies } from './completeness.ts';
import { gatherEvents, windowsOf } from './gather.ts';
import type { Judge, Work } from './judge.ts';
import type { Moment } from './judgement.ts';
import { meanwhile } from './meanwhile.ts';
import { type Missed, noteJudged } from './missed.ts';
import type { PassTally } from './pass-tally.ts';
import { type Rule, rulesByType } from './rules.ts';
import type { ScreenedStore } from './screen/screen.ts';
import {
  companyPieces,
  KEYS_A_PIECE,
  type Piece,
  rememberComing,
  screenedOf,
  screenedPieces,
  storedPieces,
} from './screen/screened.ts';
import { readTogether } from './screen/whole-companies.ts';
import { inTurn, Overtaken, type Turn } from './turn.ts';

interface RejudgeDeps {
  readonly postgres: Postgres;
  readonly events: ScreenedStore &
    Pick<
      FinanceEventStore,
      'factsInBatches' | 'byRefs' | 'extent' | 'datedIn' | 'inGroups' | 'countByCompany'
    >;
  readonly judge: Judge;
  readonly companyOf: (key: string) => Company;
  /** Patterns of the types whose payload a rule looks into. */
  readonly dataTypes: readonly string[];
  /** The instant of a judgement and the sources then; asked for in every turn, for passes in between move it on. */
  momentOf(asked: bigint): Promise<Moment>;
  readonly screening?: Screening | undefined;
}

/** When a history is screened before it is judged. */
export interface Screening {
  /** It has so many events; 50,000. */
  readonly from?: number;
  /** Where time is short, a screen leaves no more anchors of a rule than these to be judged; 20,000. */
  readonly most?: number;
}

/** One turn judges for about so long, then others get theirs. */
const TURN_MS = 2_000;
/** Long enough for whoever waits for a turn to take it. */
const PAUSE_MS = 200;
const PATIENCE_MS = 60_000;
/** So many turns in a row may be lost to others before it is given up. */
const TRIES = 10;
/** A smaller history is judged faster than it is screened. */
const SCREEN_FROM = 50_000;

/**
 * Makes the judgement of what is stored again, in turns between which other passes get theirs. A large history is screened first:
 * of the rules that can be, only what may be unanswered and what is stored is judged. It stops after about
 * `atMostMs`; how far it came is remembered. Judged again nothing changes, so that a turn that was lost is simply repeated.
 * Throws `detect.busy` when it cannot have a turn.
 */
export function createRejudge({
  postgres,
  events,
  judge,
  companyOf,
  dataTypes,
  momentOf,
  screening: { from: screenFrom = SCREEN_FROM, most = KEYS_A_PIECE } = {},
}: RejudgeDeps) {
  /** Rules of which a screen leaves too much where time is short: they are judged batch by batch. */
  const tooWide = new Set<Rule>();
  return async (
    work: Missed,
    asked: bigint,
    tally: PassTally,
    atMostMs = Number.POSITIVE_INFINITY,
  ): Promise<void> => {
    const startedAt = performance.now();
    const isShort = atMostMs !== Number.POSITIVE_INFINITY;
    const isOver = (): boolean => performance.now() - startedAt >= atMostMs;
    const size = work.after === 0n ? await rowsOfBatches(postgres.db, work.upTo) : 0;
    if (work.after !== 0n || size < screenFrom) return await judgeBatches(work.rules);
    if (!isShort) tally.events += size;
    const others = await judgePieces();
    if (others.length > 0 && !isOver())
      await judgeBatches(
        others,
        others.flatMap(({ expectation }) => typesOf(expectation)),
      );

    /** Batch after batch under the rules, reading no more than events of the type patterns. */
    async function judgeBatches(rules: readonly Rule[], types?: readonly string[]): Promise<void> {
      const looking = rulesByType(rules);
      let after = work.after;
      await inTurns(
        () => after >= work.upTo || isOver(),
        async (turn, isTurnOver) => {
          const { now, at, streams } = await momentOf(asked);
          const given = {
            now,
            applies: createApplies(streams, companyOf),
            dataTypes,
            types,
            anchorsOnly: work.after === 0n,
            read: (taken: BatchSpan) => judge.read({ asOf: now, taken }),
          };
          const windows = async function* (): AsyncGenerator<Work> {
            for await (const window of windowsOf(postgres.db, after, work.upTo)) {
              const gathered = await gatherEvents(events, postgres.db, looking, window, given);
              yield {
                ...gathered,
                async last(trx) {
                  await gathered.remember(trx);
                  await noteJudged(trx, rules, window, at);
                },
                recorded() {
                  if (isShort || !types) tally.events += gathered.events;
                  after = window.upTo;
                },
              };
              if (isOver() || isTurnOver()) return;
            }
          };
          await judge(windows(), { turn, tally, now, at, streams });
        },
      );
    }

    /**
     * All of the history under the rules that are screened, or judged company by company: the others are returned. What is begun is
     * brought to its end, for how far a rule has come is told by batches alone; where time is short, only what is soon done is begun.
     */
    async function judgePieces(): Promise<readonly Rule[]> {
      const moment = await momentOf(asked);
      const extent = await events.extent(moment.now);
      if (!extent) return work.rules;
      const { screened, others } = screenedOf(work.rules, isShort ? tooWide : new Set());
      const left = new Set(others);
      const together = isShort ? undefined : await readTogether(events, others);
      const whole = together ? others : [];
      for (const rule of whole) left.delete(rule);
      const rules = [...screened.map(({ rule }) => rule), ...whole];
      if (rules.length === 0) return others;
      await rememberComing({ db: postgres.db, events }, rules, moment.now);
      const given = { events, companyOf, extent, moment, tally };
      const bounds = {
        isOver,
        most: isShort ? most : Number.POSITIVE_INFINITY,
        skip(rule: Rule) {
          tooWide.add(rule);
          left.add(rule);
        },
      };
      const pieces = async function* (): AsyncGenerator<Piece> {
        yield* storedPieces(postgres.db, rules);
        // The engine screens while companies are judged here.
        yield* meanwhile(
          screenedPieces(given, screened, bounds),
          companyPieces(given, whole, together ?? []),
        );
      };
      const coming = ahead(pieces());
      let waiting: Piece[] = [];
      let isDone = false;
      await inTurns(
        () => isDone && waiting.length === 0,
        async (turn, isTurnOver) => {
          const { now, at, streams } = await momentOf(asked);
          const workOf = async (piece: Piece): Promise<Work> => ({
            touched: piece.touched,
            whole: await piece.read?.(now),
            last: (trx) => noteJudged(trx, piece.done, work, at),
            recorded() {
              waiting = waiting.filter((one) => one !== piece);
            },
          });
          const works = async function* (): AsyncGenerator<Work> {
            for (const piece of [...waiting]) yield await workOf(piece);
            while (!isTurnOver()) {
              const { done, value } = await coming.next();
              isDone = done ?? false;
              if (done) return;
              waiting.push(value);
              yield await workOf(value);
            }
          };
          await judge(works(), { turn, tally, now, at, streams });
        },
      );
      return work.rules.filter((rule) => left.has(rule));
    }

    /** Works in turns until it is done, each for about two seconds. */
    async function inTurns(
      isDone: () => boolean,
      judgeSome: (turn: Turn, isTurnOver: () => boolean) => Promise<void>,
    ): Promise<void> {
      for (let lost = 0; !isDone(); ) {
        const turnAt = { ms: performance.now() };
        try {
          await inTurn(postgres, PATIENCE_MS, (turn) => {
            turnAt.ms = performance.now();
            return judgeSome(turn, () => performance.now() - turnAt.ms >= TURN_MS);
          });
          lost = 0;
        } catch (error) {
          if (!(error instanceof Overtaken)) throw error;
          lost += 1;
          if (lost >= TRIES) throw busy();
        }
        if (!isDone()) await sleep(PAUSE_MS);
      }
    }
  };
}

/** The error of who could not have a turn. */
export const busy = (): ClosewatchError =>
  new ClosewatchError(
    'detect.busy',
    'other passes of detection kept the turn; this one was not done. Try again',
  );
