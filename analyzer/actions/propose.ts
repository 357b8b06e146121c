import { z } from 'zod';
import { action } from '../../model/action.ts';
import type { Company } from '../../model/company.ts';
import type { Flow } from '../../model/flow.ts';
import type { Policy } from '../../model/policy.ts';
import { dateOf } from '../../model/time.ts';
import { assessmentsToPropose, markProposed } from '../../store/postgres/assessments.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { findIncident } from '../../store/postgres/incidents.ts';
import { factsForProposal } from '../../store/postgres/proposal-facts.ts';
import { propose } from '../../store/postgres/proposals.ts';
import type { EventReader } from '../incidents/linked.ts';
import { parametersFor } from './parameters.ts';

export interface ProposeDeps {
  readonly postgres: Postgres;
  readonly events?: EventReader | undefined;
  readonly flows: readonly Flow[];
  readonly policy: Policy;
  readonly company: (key: string) => Company;
  readonly hasTickets: boolean;
}

const proposedIn = z.array(action.omit({ proposedBy: true }).extend({ proposedBy: z.string().optional() }));
const ASSESSMENTS_A_RUN = 100;
const DAY = 86_400_000;

/**
 * Turns the actions that assessments name into proposals with parameters, by facts and not by what a text says. Returns how many were
 * proposed. A model chooses among the catalogue's names; on which document, code says.
 */
export async function proposeActions(deps: ProposeDeps, now: bigint): Promise<number> {
  const { postgres, policy } = deps;
  const at = dateOf(now);
  let proposed = 0;
  for (const assessment of await assessmentsToPropose(postgres, ASSESSMENTS_A_RUN)) {
    const incident = await findIncident(postgres, assessment.incident);
    if (incident && incident.state !== 'resolved') {
      const company = deps.company(incident.company);
      const facts = await factsForProposal(postgres, deps.events, incident, company);
      const deadline = new Date(at.getTime() + DAY).toISOString().slice(0, 10);
      const about = {
        ...facts,
        flows: deps.flows,
        title: incident.title,
        nextStep: assessment.next_step,
        deadline,
        hasTickets: deps.hasTickets,
      };
      for (const { kind, reason, evidence } of proposedIn.parse(assessment.proposed_actions)) {
        if (!policy.actions[kind].enabled) continue;
        for (const parameters of parametersFor(kind, about)) {
          const { amount, makers } = facts;
          const given = {
            incident: incident.id,
            company: incident.company,
            action: kind,
            parameters,
            reason,
            evidence,
          };
          const context = { amount, makers, materiality: company.materiality, assessment: assessment.id };
          const stored = await propose(
            postgres,
            { ...given, ...context, origin: assessment.author },
            { policy, at },
          );
          if (stored) proposed += 1;
        }
      }
    }
    await markProposed(postgres, assessment.id);
  }
  return proposed;
}
