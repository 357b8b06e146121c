import { actionKind, TIERS } from '../../model/action.ts';
import { EXCEPTION_STATES } from '../../model/exception.ts';
import { CAUSE_KINDS, INCIDENT_STATES } from '../../model/incident.ts';
import { CLOSE_IMPACTS, SEVERITIES } from '../../model/severity.ts';
import { ORDERS } from '../../store/postgres/order.ts';
import { builder } from './builder.ts';

export const SeverityEnum = builder.enumType('Severity', {
  description: 'The one scale, in rising order.',
  values: SEVERITIES,
});
export const CloseImpactEnum = builder.enumType('CloseImpact', { values: CLOSE_IMPACTS });
export const IncidentStateEnum = builder.enumType('IncidentState', { values: INCIDENT_STATES });
export const ExceptionStateEnum = builder.enumType('ExceptionState', { values: EXCEPTION_STATES });
export const OrderEnum = builder.enumType('Order', {
  description: 'worst: what is open first, the gravest of it first, the newest of equal ones.',
  values: ORDERS,
});

/** GraphQL names hold no hyphen: `rule-counterparty` is `rule_counterparty`. */
export const hyphenated = <T extends string>(values: readonly T[]) =>
  Object.fromEntries(values.map((value) => [value.replaceAll('-', '_'), { value }])) as Record<
    string,
    { value: T }
  >;

export const CauseKindEnum = builder.enumType('CauseKind', {
  description: 'What makes exceptions one incident: the first that applies.',
  values: hyphenated(CAUSE_KINDS),
});

export const TierEnum = builder.enumType('Tier', {
  description: 'How many people an action needs.',
  values: hyphenated(TIERS),
});
export const ActionKindEnum = builder.enumType('ActionKind', { values: hyphenated(actionKind.options) });
