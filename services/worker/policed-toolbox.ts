/** A role's toolbox under the policy of the role. */
import { hash } from 'node:crypto';
import { Failure } from '#chassis/failures.ts';
import type { Role } from '#roles/load.ts';
import { hashOfCall } from './call-hash.ts';
import { decidePolicy, isReachable } from './policy.ts';
import type { PreparedCall } from './tools/tool.ts';
import type { Toolbox } from './tools/toolbox.ts';

/**
 * The same tools, without those of which no call can ever be allowed. A call that the policy denies is `unauthorized`
 * when it is prepared. One that a person has to be asked about carries the question (`ask`); run as it is, without an
 * answer, it does nothing and says that it is `unauthorized`.
 */
export function policed(toolbox: Toolbox, role: Pick<Role, 'policy' | 'tools'>): Toolbox {
  const schemas = toolbox.schemas.filter(({ name }) => isReachable(role.policy, name, role.tools));
  return {
    schemas,
    hash: schemas.length === toolbox.schemas.length ? toolbox.hash : hash('sha256', JSON.stringify(schemas)),
    prepare(tool, argumentsJson) {
      const call = toolbox.prepare(tool, argumentsJson);
      const decision = decidePolicy(role.policy, tool, call.argumentsJson, role.tools);
      switch (decision.verdict) {
        case 'allow':
          return call;
        case 'deny':
          throw new Failure('unauthorized', decision.reason);
        case 'ask':
          return {
            effect: 'none',
            argumentsJson: call.argumentsJson,
            run: () => Promise.resolve({ ...unanswered(decision.reason), output: '', truncated: false }),
            ask: {
              hash: hashOfCall(tool, call.argumentsJson),
              reason: decision.reason,
              expires_ms: decision.expires_ms ?? 0,
              approved: call,
            },
          } satisfies PreparedCall;
        default:
          return decision.verdict satisfies never;
      }
    },
  };
}

const unanswered = (reason: string) =>
  ({
    ok: false,
    code: 'unauthorized',
    message: `a person has to be asked first, and nobody was: ${reason}`,
  }) as const;
