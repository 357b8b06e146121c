import { join } from 'node:path';
import { z } from 'zod';
import { type ActionKind, actionKind, tier } from '../model/action.ts';
import { ClosewatchError, type Problem } from '../model/errors.ts';
import { BANDS, DEFAULT_POLICY, type Policy, policy } from '../model/policy.ts';
import { role } from '../model/principal.ts';
import { readYaml } from '../store/yaml.ts';

const roles = z.array(role).min(1);

/** What policy.yaml may say: everything that it leaves out is as in the default policy. */
export const policyFile = z.strictObject({
  acknowledge: z.strictObject({ roles }).optional(),
  actions: z
    .partialRecord(
      actionKind,
      z.strictObject({
        tier: tier.optional(),
        from: z.partialRecord(z.enum(BANDS), tier).optional(),
        operate: roles.optional(),
        approve: roles.optional(),
        enabled: z.boolean().optional(),
      }),
    )
    .optional(),
  limits: policy.shape.limits.optional(),
  approvalHours: policy.shape.approvalHours.optional(),
  proposalHours: policy.shape.proposalHours.optional(),
});

/** Reads `policy.yaml` of the folder; the default policy when there is none. Throws `config.invalid` with every problem. */
export async function readPolicy(folder: string): Promise<Policy> {
  const problems: Problem[] = [];
  const path = join(folder, 'policy.yaml');
  const read = await readYaml(path, policyFile, problems).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return { value: {} as z.infer<typeof policyFile> };
  });
  if (read) return merged(read.value);
  const list = problems.map(({ where, what }) => `${where}: ${what}`).join('\n');
  throw new ClosewatchError('config.invalid', `${path} cannot be used:\n${list}`, { problems });
}

function merged({ actions = {}, ...given }: z.infer<typeof policyFile>): Policy {
  const kinds = Object.entries(DEFAULT_POLICY.actions).map(([kind, usual]) => [
    kind,
    { ...usual, ...actions[kind as ActionKind] },
  ]);
  return policy.parse({ ...DEFAULT_POLICY, ...given, actions: Object.fromEntries(kinds) });
}
