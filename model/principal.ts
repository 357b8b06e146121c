import { z } from 'zod';

/** Who acts: a person, a program, or a language model. A model can hold no grant, by type: `Grant` excludes it. */
export const PRINCIPAL_KINDS = ['human', 'service', 'model'] as const;
export const principalKind = z.enum(PRINCIPAL_KINDS);

export const ROLES = ['sre', 'finance', 'manager', 'support', 'auditor', 'admin'] as const;
export const role = z.enum(ROLES);
export type Role = z.infer<typeof role>;

export const principal = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('human'),
    id: z.string(),
    name: z.string(),
    roles: z.array(role),
    companies: z.array(z.string()),
  }),
  z.strictObject({
    kind: z.literal('service'),
    id: z.string(),
    name: z.string(),
    roles: z.array(role),
    companies: z.array(z.string()),
  }),
  z.strictObject({ kind: z.literal('model'), id: z.string(), name: z.string() }),
]);
export type Principal = z.infer<typeof principal>;
export type Actor = Exclude<Principal, { kind: 'model' }>;

/** `*` among the companies means every company of the deployment. */
export const mayReadCompany = (actor: Actor, company: string): boolean =>
  actor.companies.includes('*') || actor.companies.includes(company);

export const hasRole = (actor: Actor, ...roles: readonly Role[]): boolean =>
  actor.roles.includes('admin') || actor.roles.some((held) => roles.includes(held));

/** Telemetry, and what came of nobody that is known, names no company: it is for SREs, and for who reads every company. */
export const mayReadTelemetry = (actor: Actor): boolean =>
  hasRole(actor, 'sre') || actor.companies.includes('*');

/** The companies whose rows the actor may read: a list, or `*` for every one. */
export type CompanyScope = '*' | readonly string[];
export const companyScope = (actor: Actor): CompanyScope =>
  actor.companies.includes('*') ? '*' : actor.companies;

/** Is the company in the scope? */
export const isInScope = (scope: CompanyScope, company: string): boolean =>
  scope === '*' || scope.includes(company);
