import type { ModelActionKind } from '../../model/action.ts';
import type { Category, EvidenceItem, ModelAnswer } from '../../model/assessment.ts';
import type { Severity } from '../../model/severity.ts';

/** What the rules look at: the numbered evidence, and nothing that is not in it. */
export interface RuleInput {
  readonly items: readonly EvidenceItem[];
  readonly severity: Severity;
  /** What the incident is called. */
  readonly title: string;
}

interface Rule {
  readonly category: Category;
  /** The numbers of the items that make it apply; none: it does not. */
  readonly when: (items: readonly EvidenceItem[]) => number[];
  readonly cause: string;
  readonly next: string;
  readonly actions: readonly ModelActionKind[];
  readonly confidence: number;
}

const numbers = (items: readonly EvidenceItem[]): number[] => items.map(({ number }) => number);
const of = (items: readonly EvidenceItem[], kind: EvidenceItem['kind']): EvidenceItem[] =>
  items.filter((item) => item.kind === kind);

/** Failing spans with one of the HTTP or gRPC statuses, or whose error says one of the words. */
const failing =
  (statuses: readonly number[], words: RegExp, grpc: readonly number[] = []) =>
  (items: readonly EvidenceItem[]): number[] =>
    numbers(
      of(items, 'span').filter(({ facts }) => {
        const said = `${facts.error ?? ''} ${facts.errorType ?? ''}`;
        return (
          statuses.some(
            (status) => facts.httpStatus === status || said.split(' ').includes(String(status)),
          ) ||
          grpc.some((status) => facts.grpcStatus === status) ||
          words.test(said)
        );
      }),
    );

/** Failing spans whose service or operation is called so. */
const failingAt =
  (name: RegExp) =>
  (items: readonly EvidenceItem[]): number[] =>
    numbers(of(items, 'span').filter(({ facts }) => name.test(`${facts.service} ${facts.operation}`)));

/** Exceptions for which `test` holds, when it holds for all of them. */
const all =
  (test: (facts: EvidenceItem['facts']) => boolean) =>
  (items: readonly EvidenceItem[]): number[] => {
    const exceptions = of(items, 'exception');
    return exceptions.length > 0 && exceptions.every(({ facts }) => test(facts)) ? numbers(exceptions) : [];
  };

const withEvent =
  (type: RegExp) =>
  (items: readonly EvidenceItem[]): number[] =>
    numbers(of(items, 'event').filter(({ facts }) => type.test(String(facts.type))));

/** Events that ask for an approval, when none tells that it was given. */
const waitingForApproval = (items: readonly EvidenceItem[]): number[] =>
  withEvent(/approved|released|signed/)(items).length > 0
    ? []
    : withEvent(/submitted|requested|to_approve/)(items);

const cause =
  (kind: string) =>
  (items: readonly EvidenceItem[]): number[] =>
    numbers(of(items, 'history').filter(({ facts }) => facts.cause === kind));

const either =
  (...tests: readonly Rule['when'][]): Rule['when'] =>
  (items) => [...new Set(tests.flatMap((test) => test(items)))];

const rule = (text: RegExp) => all(({ rule: id }) => text.test(String(id)));

/** The closed table of the rules; the first that applies writes the assessment. */
export const RULES: readonly Rule[] = [
  {
    category: 'feed-stale',
    when: either(
      cause('stale-source'),
      all(({ state }) => state === 'indeterminate'),
    ),
    cause: 'A source has not reported completely, so nothing can be said of what it should have sent.',
    next: 'Bring the feed of the source back; what is due is judged again by itself.',
    actions: ['open-ticket'],
    confidence: 0.9,
  },
  {
    category: 'duplicate',
    when: either(
      all(({ kind }) => kind === 'no-duplicate'),
      failing([], /\bduplicated?\b|\bmust\b.*\bunique\b|\bunique (constraint|violation)|already exists?/),
    ),
    cause: 'Documents share what must be unique: the same thing seems to have been entered twice.',
    next: 'Compare the documents; cancel the one too many before it is paid.',
    actions: ['create-odoo-activity', 'investigate'],
    confidence: 0.8,
  },
  {
    category: 'control-breach',
    when: either(
      rule(/^CT-/),
      all(({ kind }) => kind === 'distinct-actors' || kind === 'precedence'),
      failing([], /\bapprove\b.*\bown\b|\bself approv|\bsegregation\b/),
    ),
    cause: 'A control was not kept.',
    next: 'Have the controller look at who did what and when.',
    actions: ['investigate', 'create-odoo-activity'],
    confidence: 0.8,
  },
  {
    category: 'amount-mismatch',
    when: either(
      all(({ kind }) => kind === 'equal-value' || kind === 'balance'),
      failing(
        [],
        /\bunbalanced\b|\bnot balanced\b|\b(amount|total|balance|sum)\b.*\bdiffers?\b|\b(amount|balance)\b.*\bmismatch\b|\bmismatch\b.*\b(amount|balance)\b/,
      ),
    ),
    cause: 'Amounts that must be equal differ.',
    next: 'Find the document or line that differs and correct it at its origin.',
    actions: ['create-odoo-activity', 'investigate'],
    confidence: 0.7,
  },
  {
    category: 'credentials',
    when: either(
      // What Odoo calls so is a login that failed, not a right that is missing.
      (items) => numbers(of(items, 'span').filter(({ facts }) => facts.errorType === 'access denied')),
      failing(
        [401],
        /\bunauthenticated\b|\bnot authenticated\b|\b(session|token|grant|key|certificate)\b.*\b(expired|revoked)\b|\bexpired\b.*\bsession\b|\b(expired|invalid|bad)\b.*\b(token|credentials|certificate|password|key)\b|\b(token|credentials|certificate|password)\b.*\b(expired|invalid)\b|\bauthentication failed\b/,
        [16],
      ),
    ),
    cause: 'The interface is not let in: its credential is wrong or has expired.',
    next: 'Renew the credential of the interface, then send again what failed.',
    actions: ['open-ticket', 'redrive-events'],
    confidence: 0.85,
  },
  {
    category: 'access',
    when: failing(
      [403],
      /\b(access|permission|privileges)\b.*\bdenied\b|\bforbidden\b|\bnot .*(authorized|allowed|permitted)\b.*\b(access|records?|scope|operation)\b|\bnot authorized\b|\baccess error\b|\benough\b.*\brights\b|\baccess rights\b|\bpermission error\b/,
      [7],
    ),
    cause: 'The account of the interface lacks a right.',
    next: 'Have the right granted to the account of the interface, then send again what failed.',
    actions: ['open-ticket', 'redrive-events'],
    confidence: 0.8,
  },
  {
    category: 'rate-limit',
    when: failing(
      [429],
      /\btoo many\b(?!.*\b(clients|connections)\b)|\brate limit\b|\bthrottl|\bquota\b.*\bexceeded\b/,
      [8],
    ),
    cause: 'The receiving system refuses calls because there are too many.',
    next: 'Slow the sender down or have the limit raised; then put what failed back into the queue.',
    actions: ['requeue-job', 'open-ticket'],
    confidence: 0.85,
  },
  {
    category: 'locked-period',
    when: failing(
      [],
      /\block(ed)?\b.*\b(date|period|journal|year|entry)\b|\b(date|period|journal|year|fiscal)\b.*\block(ed)?\b|\bperiod\b.*\bclosed\b/,
    ),
    cause: 'The documents are dated into a period that is locked.',
    next: 'Decide with the general ledger: post into the open period, or have the lock lifted.',
    actions: ['mark-for-accrual', 'create-odoo-activity'],
    confidence: 0.85,
  },
  {
    category: 'sequence',
    when: either(
      all(({ kind }) => kind === 'sequence'),
      failing(
        [],
        /\b(sequence|numbering|counter)\b.*\b(gap|missing|conflict|broken|skipped|jumped|wrong|expected)\b|\b(gap|missing number)\b.*\b(sequence|numbering)\b|\bintegrity hash\b|\bhash\b.*\bbroken\b|\b(broken|altered)\b.*\bhash\b|\bgap\b|\b(locked|signature) by hash\b|\bhash\b.*\b(cannot|field|date)\b/,
      ),
    ),
    cause: 'The numbering of documents is broken.',
    next: 'Have the sequence looked at before more documents are posted.',
    actions: ['investigate', 'create-odoo-activity'],
    confidence: 0.7,
  },
  {
    category: 'capacity',
    when: failing(
      [507],
      /\b(disk|memory|pool|queue|space|storage|heap|workers?)\b.*\b(full|exhausted|overflow|exceeded|killed)\b|\bno space\b|\bmemory error\b|\boverload|\binsufficient storage\b|\boom\b|\btoo many (clients|connections)\b|\b(exhausted|full)\b.*\b(pool|queue|disk)\b/,
    ),
    cause: 'A system has run out of room or workers.',
    next: 'Have the capacity looked at; then put what failed back into the queue.',
    actions: ['open-ticket', 'requeue-job'],
    confidence: 0.75,
  },
  {
    category: 'tax-engine',
    when: either(
      failingAt(/\b(tax|vat|avalara|avatax|vertex|peppol|einvoic\w*)\b/i),
      failing([], /\b(avatax|avalara|vertex|vies)\b|\btax (engine|service|authority)\b/),
    ),
    cause: 'The tax engine fails, so documents cannot be completed.',
    next: 'Ask the owner of the tax engine; when it answers again, put what failed back into the queue.',
    actions: ['requeue-job', 'open-ticket'],
    confidence: 0.85,
  },
  {
    category: 'bank-rejection',
    when: either(
      withEvent(/^(payment|paymentfile|statement|mandate|bank\w*)\.(rejected|returned|failed)$/),
      failing(
        [],
        /\b(payment|bank|debit|mandate|creditor|debtor)\b.*\b(rejected|returned|rejection|rjct)\b|\b(rejected|returned|rjct)\b.*\b(payment|bank|debit|mandate)\b|\bnomandate\b|\bclosedaccountnumber\b|\binsufficient funds\b/,
      ),
    ),
    cause: 'The bank has rejected payments.',
    next: "Read the bank's reason, correct the payment data and pay again.",
    actions: ['create-odoo-activity', 'investigate'],
    confidence: 0.8,
  },
  {
    category: 'timeout',
    when: failing(
      [408, 504],
      /\btime ?d? ?out\b|\btimed\b|\btimeout\b|\bdeadline exceeded\b|\betimedout\b/,
      [4],
    ),
    cause: 'The receiving system answers too slowly or not at all.',
    next: 'Have the receiving system looked at; then put what failed back into the queue.',
    actions: ['requeue-job', 'open-ticket'],
    confidence: 0.8,
  },
  {
    category: 'connection',
    when: failing(
      [502, 503],
      /\bconn(ection|ect)?\b.*\b(refused|reset|failed|broken|closed|lost|terminated|aborted|dropped)\b|\bserver\b.*\bclosed\b.*\bconnection\b|\becon\w+|\benotfound\b|\bunavailable\b|\bunreachable\b|\bsocket\b|\bdns\b|\bhandshake\b|\bgateway\b/,
      [14],
    ),
    cause: 'The receiving system is not reachable.',
    next: 'Have the connection and the receiving system looked at; then put what failed back into the queue.',
    actions: ['requeue-job', 'open-ticket'],
    confidence: 0.8,
  },
  {
    category: 'parse',
    when: failing(
      [415],
      /\bparsed?\b|\bparser\b|\bdecod(e|ing)\b|\bsyntax\b|\bmalformed\b|\bencod(ing|ed)\b|\bcodec\b|\bcorrupt\b|\btruncated\b|\bunexpected (token|character|end)\b/,
    ),
    cause: 'The receiver cannot read what was sent.',
    next: 'Have the sender look at the file or message; send it again when it is corrected.',
    actions: ['redrive-events', 'open-ticket'],
    confidence: 0.75,
  },
  {
    category: 'schema-change',
    when: failing(
      [],
      /^(?!.*\b(required|mandatory|empty)\b)(.*\b(unknown|unexpected|undefined|invalid|unsupported|unrecognized|unrecognised|deprecated|removed|renamed|incompatible)\b.*\b(field|column|property|relation|version|schema|model|type|attribute|argument|structure|object)\b|.*\b(field|column|property|relation|table|object|method|model|schema)\b.*\b(not exist|does not|undefined|unknown|removed|changed|version)\b)|\battribute error\b|\bwrong value\b|^(?!.*\b(journal|mapping|mapped|configured|counterpart)\b).*\bkey error\b/,
    ),
    cause: 'The data no longer has the shape that the receiver expects.',
    next: 'Compare the versions of both ends; correct the mapping and send again.',
    actions: ['open-ticket', 'redrive-events'],
    confidence: 0.7,
  },
  {
    category: 'mapping',
    when: failing(
      [],
      /\bmappings?\b|\bdefine\b.*\baccount\b|\bno default account\b|\bunmapped\b|\bnot mapped\b|\bcounterpart\b|\blookup table\b|\b(no|missing|unknown|cannot)\b.*\b(accounts?|journals?|tax(es)?|currency|unit)\b.*\b(configured|found|default|code)\b|\b(no|missing|unknown)\b.*\b(journal|tax|currency|unit)\b|\b(account|journal|tax|currency|unit)\b.*\bnot (found|configured)\b/,
    ),
    cause: 'A value of the sender has no counterpart in the books.',
    next: 'Add the missing mapping, then process the events again.',
    actions: ['reprocess-events', 'create-odoo-activity'],
    confidence: 0.7,
  },
  {
    category: 'wrong-entity',
    when: failing(
      [],
      /\b(wrong|mismatch|different|another|incompatible)\b.*\b(company|companies|legal entity)\b|\b(company|companies|entity)\b.*\b(mismatch|wrong|differs?|another|different)\b|\bcompanies\b.*\brecords\b|\b(belongs?)\b.*\bcompany\b/,
    ),
    cause: 'The document was sent to the wrong company.',
    next: 'Correct the company at the sender and send again.',
    actions: ['redrive-events', 'create-odoo-activity'],
    confidence: 0.7,
  },
  {
    category: 'master-data',
    when: failing(
      [],
      /\b(partner|vendor|supplier|customer|contact|vat|bank account|master|product|item|sku)\b.*\b(not found|unknown|inactive|archived|invalid|missing|disabled|blocked|deleted|not valid)\b|\b(unknown|inactive|archived|missing|no|blocked|invalid)\b.*\b(partner|vendor|supplier|vat|product|sku|contact)\b|\brecord\b.*\b(not exist|deleted)\b/,
    ),
    cause: 'Master data that the document needs is missing or not active.',
    next: 'Complete the master data, then process the events again.',
    actions: ['reprocess-events', 'create-odoo-activity'],
    confidence: 0.7,
  },
  {
    category: 'missing-data',
    when: failing(
      [400, 422],
      /\b(required|mandatory|missing)\b|\bnot null\b|\bvalidation (error|failed)\b|\bincomplete\b|\bempty\b|\bblank\b|\bmust\b.*\bset\b/,
      [3],
    ),
    cause: 'The document lacks something that the receiver requires.',
    next: 'Complete the document at its origin and send it again.',
    actions: ['redrive-events', 'create-odoo-activity'],
    confidence: 0.65,
  },
  {
    category: 'approval',
    when: either(
      rule(/^SA-|(never|not|un)[-_]?approved|approval|sign-?off|review/i),
      waitingForApproval,
      failing(
        [],
        /\b(needs|needed|requires?|required|waiting|pending|must)\b.*\bapprov(al|e)\b|\bapproval\b.*\b(needed|required|pending|missing)\b/,
      ),
    ),
    cause: 'Documents wait for an approval.',
    next: 'Remind the approver, or have a deputy named.',
    actions: ['nudge-approver', 'create-odoo-activity'],
    confidence: 0.7,
  },
  {
    category: 'late-batch',
    when: cause('batch'),
    cause: 'The documents of one batch did not arrive where they should.',
    next: 'Look at the run of the batch; send it again if it did not finish.',
    actions: ['redrive-events', 'open-ticket'],
    confidence: 0.6,
  },
  {
    category: 'unknown',
    when: failing([500], /./),
    cause: 'The interface fails for a reason that its errors do not tell.',
    next: 'Open the trace of a document and ask the owner of the failing service.',
    actions: ['open-ticket', 'investigate'],
    confidence: 0.4,
  },
];

const UNKNOWN: Omit<Rule, 'when'> = {
  category: 'unknown',
  cause: 'The evidence does not tell why.',
  next: 'Open the case of a document and see where it stopped.',
  actions: ['investigate'],
  confidence: 0.2,
};

/** The assessment by rules: the first rule of the table that the evidence fulfils, its claims citing what fulfilled it. */
export function assessByRules(input: RuleInput): ModelAnswer {
  for (const candidate of RULES) {
    const evidence = candidate.when(input.items);
    if (evidence.length > 0) return answer(candidate, evidence.slice(0, 12), input);
  }
  return answer(UNKNOWN, numbers(input.items).slice(0, 1), input);
}

/** What was new shortly before is told; that it is the cause is for people to find out. */
const deployed = (items: readonly EvidenceItem[]): ModelAnswer['claims'] =>
  of(items, 'history')
    .filter(({ facts }) => facts.deployed !== undefined)
    .slice(0, 1)
    .map(({ number, facts }) => ({
      text: `Version ${facts.version} of ${facts.deployed} was new shortly before.`,
      evidence: [number],
    }));

function answer(found: Omit<Rule, 'when'>, evidence: number[], input: RuleInput): ModelAnswer {
  const title = input.title.length > 500 ? `${input.title.slice(0, 499)}…` : input.title;
  return {
    category: found.category,
    severity: input.severity,
    summary: `${title}.`,
    probableCause: found.cause,
    nextStep: found.next,
    confidence: found.confidence,
    claims: [{ text: found.cause, evidence }, ...deployed(input.items)],
    proposedActions: found.actions.map((kind) => ({ kind, reason: found.next, evidence })),
  };
}
