import type { Scope } from '../../control/control.ts';
import { hostsOf, rolloutContents } from '../../fleet/fleet.ts';
import { hostName } from '../../iot-hub/host-name.ts';
import { type Environment, stamp } from '../../settings/settings.ts';
import { invalid } from '../shell/arguments.ts';
import { knownHub, knownPolicy } from '../shell/known.ts';
import { deployedFleet, type State } from '../shell/state.ts';

/** The options that select what to pause. Without them it is the whole fleet. */
export interface ScopeOptions {
  readonly hub?: string | undefined;
  readonly policy?: string | undefined;
}

/** @throws BerthError `BERTH_ARGUMENT_INVALID` */
export function readScope({ hub, policy }: ScopeOptions): Scope {
  if (hub !== undefined && policy !== undefined) {
    throw invalid(
      'Give --hub or --policy, not both. Without either, the command applies to the whole fleet.',
    );
  }
  if (hub !== undefined) return { kind: 'hub', host: hostName(hub) };
  if (policy !== undefined) return { kind: 'policy', name: policy };
  return { kind: 'fleet' };
}

/**
 * Refuses a hub or a policy that the fleet file does not define. For the whole fleet it reads no file,
 * because the operator may have none.
 *
 * @throws BerthError `BERTH_HUB_UNKNOWN`, `BERTH_POLICY_UNKNOWN`, `BERTH_FLEET_INVALID`,
 *   `BERTH_FILE_UNREADABLE`
 */
export async function refuseUnknown(
  scope: Scope,
  state: State,
  file: string | undefined,
  env: Environment,
): Promise<void> {
  if (scope.kind === 'fleet') return;
  const { fleet, name } = await deployedFleet(state, file);
  if (scope.kind === 'hub') knownHub(scope.host, hostsOf(fleet, stamp(env)), name);
  else
    knownPolicy(
      scope.name,
      rolloutContents(fleet).map((content) => content.name),
      name,
    );
}

/** The scope as the subject of a sentence. */
export function scopeText(scope: Scope): string {
  switch (scope.kind) {
    case 'fleet':
      return 'The fleet';
    case 'hub':
      return scope.host;
    case 'policy':
      return `The policy ${scope.name}`;
  }
}
