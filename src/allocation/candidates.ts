import type { Fleet, Hub } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import { type Conditions, effectiveHub, isFull, isUnhealthy } from './conditions.ts';
import { rank } from './placement.ts';
import type { AllocationRequest } from './request.ts';
import { meets, type RuleOutcome } from './rules.ts';

/** Why a linked hub could not take the device. */
export type Exclusion =
  | 'not in the fleet file'
  | 'not selected by the enrollment'
  | 'does not meet a require rule'
  | 'not the hub of the hub rule'
  | 'cordoned'
  | 'draining'
  | 'full'
  | 'unhealthy';

export interface Candidate {
  readonly host: HostName;
  readonly weight?: number;
  readonly score?: number;
  readonly excluded?: Exclusion;
}

export interface RankedCandidate extends Candidate {
  readonly receives: boolean;
}

/** Every linked hub: the ones that may receive ranked first, then the others with the reason. */
export function rankCandidates(
  request: AllocationRequest,
  fleet: Fleet,
  conditions: Conditions,
  rules: RuleOutcome,
  now: number,
): readonly RankedCandidate[] {
  const judged = request.linkedHubs.map(({ host }) => {
    const hub = fleet.hubByHost.get(host);
    return { host, hub, excluded: exclusion(host, hub, request, conditions, rules, now) };
  });
  // Health never excludes the last hub: an outage must not become a refusal of everything.
  const onlyUnhealthyLeft =
    !judged.some(({ excluded }) => excluded === undefined) &&
    judged.some(({ excluded }) => excluded === 'unhealthy');
  const receives = judged.flatMap(({ hub, excluded }) =>
    hub !== undefined && (excluded === undefined || (onlyUnhealthyLeft && excluded === 'unhealthy'))
      ? [
          {
            host: hub.host,
            weight: effectiveHub(hub, conditions, now).weight * (rules.prefer.get(hub.host) ?? 1),
          },
        ]
      : [],
  );
  const received = new Set(receives.map(({ host }) => host));
  return [
    ...rank(request.registrationId, fleet.allocation.salt, receives).map(({ hub, score }) => ({
      host: hub.host,
      weight: hub.weight,
      score,
      receives: true,
    })),
    ...judged
      .filter(({ host }) => !received.has(host))
      .map(({ host, excluded }) => ({
        host,
        receives: false,
        ...(excluded === undefined ? {} : { excluded }),
      })),
  ];
}

function exclusion(
  host: HostName,
  hub: Hub | undefined,
  request: AllocationRequest,
  conditions: Conditions,
  rules: RuleOutcome,
  now: number,
): Exclusion | undefined {
  const lasting = lastingExclusion(host, hub, request, rules);
  if (lasting !== undefined || hub === undefined) return lasting;
  const { state } = effectiveHub(hub, conditions, now);
  if (state !== 'active') return state;
  if (isFull(hub, conditions, now)) return 'full';
  return isUnhealthy(host, conditions) ? 'unhealthy' : undefined;
}

/** What would still exclude the hub if it were active, empty and healthy. */
export function lastingExclusion(
  host: HostName,
  hub: Hub | undefined,
  request: AllocationRequest,
  rules: RuleOutcome,
): Exclusion | undefined {
  if (hub === undefined) return 'not in the fleet file';
  const selected = request.enrollment.iotHubs;
  if (selected.length > 0 && !selected.includes(host)) return 'not selected by the enrollment';
  if (!meets(hub.labels, rules.requirements)) return 'does not meet a require rule';
  return rules.only !== undefined && rules.only !== host ? 'not the hub of the hub rule' : undefined;
}
