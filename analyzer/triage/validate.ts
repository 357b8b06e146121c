import { Decimal } from 'decimal.js';
import { z } from 'zod';
import { type ActionKind, modelActionKind } from '../../model/action.ts';
import {
  type Category,
  category,
  type EvidenceItem,
  type ModelAnswer,
  type Verdict,
} from '../../model/assessment.ts';
import { SEVERITIES, type Severity, severity } from '../../model/severity.ts';
import { plainWords } from './text.ts';

/**
 * What a model's answer must look like to be judged at all. Looser than what is asked for, so that one bad part costs
 * that part only.
 */
const answerShape = z.object({
  category: z.string().max(200),
  severity: z.string().max(200),
  summary: z.string().max(8_000),
  probableCause: z.string().max(8_000),
  nextStep: z.string().max(8_000),
  confidence: z.number(),
  claims: z.array(z.object({ text: z.string().max(8_000), evidence: z.array(z.number()).max(200) })).max(100),
  proposedActions: z
    .array(
      z.object({
        kind: z.string().max(200),
        reason: z.string().max(8_000),
        evidence: z.array(z.number()).max(200),
      }),
    )
    .max(100),
});
export type LooseAnswer = z.infer<typeof answerShape>;

/** The answer when it has the shape, else undefined. */
export const readAnswer = (json: unknown): LooseAnswer | undefined => answerShape.safeParse(json).data;

/** What is never proposed for a category, whoever asks: nothing that repeats a posting where a control is in doubt. */
const NEVER: Partial<Record<Category, readonly ActionKind[]>> = {
  duplicate: ['rerun-posting', 'redrive-events', 'reprocess-events', 'requeue-job'],
  'control-breach': ['rerun-posting', 'redrive-events', 'reprocess-events', 'requeue-job'],
  'locked-period': ['rerun-posting'],
  'feed-stale': ['rerun-posting'],
};

/** A model is never surer than this; less when it contradicts the rules or when some of its claims fell. */
const CAPS = { most: 0.8, disagrees: 0.6, dropped: 0.5 } as const;

export interface Validated {
  /** What survived; undefined when no claim did: the rules' assessment stands. */
  readonly answer: ModelAnswer | undefined;
  readonly verdicts: readonly Verdict[];
}

/**
 * Decides what of a model's answer survives, against the evidence and the rules' own assessment: claims without valid
 * evidence or with a number that their evidence does not hold are dropped, a text with such a number is replaced by the
 * rules', the confidence is capped, the severity is never below the rules' and at most one above, actions outside the
 * catalogue or against the category are dropped; all text becomes plain words. Every decision is a verdict.
 */
export function validateAnswer(
  loose: LooseAnswer,
  evidence: readonly EvidenceItem[],
  rules: ModelAnswer,
): Validated {
  const verdicts: Verdict[] = [];
  const note = (part: string, outcome: Verdict['outcome'], reason: string): void =>
    void verdicts.push({ part, outcome, reason: plainWords(reason, 200) });
  const claims = loose.claims
    .flatMap((claim, at) => validClaim(claim, evidence, `claims[${at}]`, note))
    .slice(0, 8);
  if (claims.length === 0) {
    note('answer', 'dropped', 'no claim is carried by the evidence');
    return { answer: undefined, verdicts };
  }
  const kind = category.safeParse(loose.category);
  if (!kind.success) note('category', 'replaced', 'not in the closed list');
  const chosen = kind.data ?? rules.category;
  const text = (part: 'summary' | 'probableCause' | 'nextStep', limit: number): string =>
    validText(loose[part], rules[part], { part, limit, evidence, note });
  return {
    answer: {
      category: chosen,
      severity: validSeverity(loose.severity, rules.severity, note),
      summary: text('summary', 600),
      probableCause: text('probableCause', 400),
      nextStep: text('nextStep', 300),
      confidence: validConfidence(
        loose,
        { agrees: chosen === rules.category, all: claims.length === loose.claims.length },
        note,
      ),
      claims,
      proposedActions: validActions(loose, chosen, { evidence, rules, note }),
    },
    verdicts,
  };
}

type Note = (part: string, outcome: Verdict['outcome'], reason: string) => void;

function validClaim(
  claim: LooseAnswer['claims'][number],
  evidence: readonly EvidenceItem[],
  part: string,
  note: Note,
): ModelAnswer['claims'] {
  const cited = citedItems(claim.evidence, evidence);
  if (cited === undefined || cited.length === 0) {
    note(
      part,
      'dropped',
      claim.evidence.length === 0 ? 'cites nothing' : 'cites evidence that is not in the package',
    );
    return [];
  }
  const text = plainWords(claim.text, 400);
  if (text === '') {
    note(part, 'dropped', 'says nothing');
    return [];
  }
  const foreign = foreignNumbers(text, cited);
  if (foreign.length > 0) {
    note(part, 'dropped', `the cited evidence does not hold ${foreign.slice(0, 3).join(', ')}`);
    return [];
  }
  note(part, 'kept', 'carried by its evidence');
  return [{ text, evidence: cited.map(({ number }) => number).slice(0, 12) }];
}

/** The cited items, each once; undefined when one of the numbers is none of the package. */
function citedItems(
  numbers: readonly number[],
  evidence: readonly EvidenceItem[],
): EvidenceItem[] | undefined {
  const items = [...new Set(numbers)].map((number) => evidence.find((item) => item.number === number));
  return items.every((item) => item !== undefined) ? items : undefined;
}

function validText(
  text: string,
  instead: string,
  on: { part: string; limit: number; evidence: readonly EvidenceItem[]; note: Note },
): string {
  const plain = plainWords(text, on.limit);
  const foreign = foreignNumbers(plain, on.evidence);
  if (plain !== '' && foreign.length === 0) {
    on.note(on.part, 'kept', plain === text ? 'as it is' : 'as plain words');
    return plain;
  }
  on.note(
    on.part,
    'replaced',
    plain === '' ? 'empty' : `the evidence does not hold ${foreign.slice(0, 3).join(', ')}`,
  );
  return instead;
}

function validSeverity(wanted: string, floor: Severity, note: Note): Severity {
  const parsed = severity.safeParse(wanted);
  if (!parsed.success) {
    note('severity', 'replaced', 'not on the scale');
    return floor;
  }
  const [asked, least] = [SEVERITIES.indexOf(parsed.data), SEVERITIES.indexOf(floor)];
  const given = SEVERITIES[Math.max(least, Math.min(asked, least + 1))] ?? floor;
  if (given !== parsed.data)
    note('severity', 'capped', asked < least ? "below the rules'" : 'more than one step up');
  return given;
}

function validConfidence(loose: LooseAnswer, claims: { agrees: boolean; all: boolean }, note: Note): number {
  const wanted = Number.isFinite(loose.confidence) ? Math.max(0, loose.confidence) : 0;
  const caps = [CAPS.most, ...(claims.agrees ? [] : [CAPS.disagrees]), ...(claims.all ? [] : [CAPS.dropped])];
  const cap = Math.min(...caps);
  if (wanted > cap) note('confidence', 'capped', `at ${cap}`);
  return Math.min(wanted, cap);
}

function validActions(
  loose: LooseAnswer,
  chosen: Category,
  on: { evidence: readonly EvidenceItem[]; rules: ModelAnswer; note: Note },
): ModelAnswer['proposedActions'] {
  const kept = new Map<ActionKind, ModelAnswer['proposedActions'][number]>();
  loose.proposedActions.forEach((wish, at) => {
    const part = `proposedActions[${at}]`;
    const kind = modelActionKind.safeParse(wish.kind);
    const cited = citedItems(wish.evidence, on.evidence);
    const plain = plainWords(wish.reason, 300);
    if (!kind.success) on.note(part, 'dropped', 'not in the catalogue');
    else if (NEVER[chosen]?.includes(kind.data) || NEVER[on.rules.category]?.includes(kind.data))
      on.note(
        part,
        'dropped',
        `never for ${NEVER[chosen]?.includes(kind.data) ? chosen : on.rules.category}`,
      );
    else if (cited === undefined || cited.length === 0) on.note(part, 'dropped', 'without valid evidence');
    else if (kept.has(kind.data) || kept.size >= 4) on.note(part, 'dropped', 'one too many');
    else {
      const reason = plain !== '' && foreignNumbers(plain, cited).length === 0 ? plain : on.rules.nextStep;
      on.note(part, 'kept', 'in the catalogue and carried by its evidence');
      kept.set(kind.data, {
        kind: kind.data,
        reason,
        evidence: cited.map(({ number }) => number).slice(0, 12),
      });
    }
  });
  return [...kept.values()];
}

const NUMBER = /\p{N}[\p{N}.,:/T-]*\p{N}Z?|\p{N}/gu;

/** Numbers, dates and times of a text that the items do not hold. Thousands separators and trailing zeros do not matter. */
function foreignNumbers(text: string, items: readonly EvidenceItem[]): string[] {
  const known = new Set(
    items.flatMap(({ number, at, facts }) => [
      `e${number}`,
      ...forms(at ?? ''),
      ...Object.values(facts).flatMap((value) => forms(String(value))),
    ]),
  );
  const cited = withoutPseudonyms(text).replace(/\bE(\d{1,3})\b/gi, (reference, number) =>
    known.has(`e${Number(number)}`) ? ' ' : reference,
  );
  return [...cited.matchAll(NUMBER)]
    .map(([found]) => found)
    .filter((found) => !known.has(found) && !known.has(plainNumber(found)));
}

/** The hexadecimal digits of pseudonyms are no numbers. */
const withoutPseudonyms = (text: string): string =>
  text.replace(/\b(party|actor|document)-[0-9a-f]{12}\b/g, '$1');

/** Every way in which a text may name the numbers of a fact: as they stand, plain, and of an instant its date and time. */
function forms(fact: string): string[] {
  const instant = /^(\d{4}-\d\d-\d\d)T((\d\d:\d\d)(:\d\d)?)/.exec(fact);
  if (instant)
    return instant
      .slice(0, 4)
      .flatMap((part) => part ?? [])
      .concat(fact, `${instant[0]}Z`);
  return [...withoutPseudonyms(fact).matchAll(NUMBER)].flatMap(([found]) => [found, plainNumber(found)]);
}

/** `1,234.50` and `1234.5` are the same number; what is no number stays. */
function plainNumber(text: string): string {
  const bare = /^\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(',', '') : text;
  return /^\d+(\.\d+)?$/.test(bare) ? new Decimal(bare).toFixed() : bare;
}
