import type { HostName } from '../../iot-hub/host-name.ts';
import { sha256Hex } from '../../json/hash.ts';
import { canonicalJson } from '../../json/json.ts';
import { parseDuration } from '../../time/duration.ts';
import type { MoveRequest, PolicyLeaf } from '../fleet.ts';
import type { FleetFile } from '../schema.ts';

/** The name of the policy that asks devices to move. A policy of the file cannot have it, because it contains a space. */
export const MOVE_REQUEST = 'move request';

/** The policy of Berth's own that sets and removes the property of `allocation.moves.ask`. */
export function compileMoveRequest(
  { property, method, silentAfter }: NonNullable<NonNullable<FleetFile['allocation']['moves']>['ask']>,
  hosts: readonly HostName[],
): MoveRequest {
  const hash = sha256Hex(canonicalJson({ name: MOVE_REQUEST, property }));
  const leaf: PolicyLeaf = {
    path: property.split('.'),
    key: property,
    value: { kind: 'literal', value: null },
    compare: 'exact',
  };
  return {
    policy: {
      name: MOVE_REQUEST,
      hash,
      id: hash.slice(0, 12),
      module: undefined,
      when: undefined,
      mode: 'enforce',
      leaves: [leaf],
      tolerance: 0,
      cooldownMs: 0,
      attempts: 1,
      deadlineMs: 0,
      // The device answers by registering again.
      confirm: false,
      acknowledgement: 'pnp',
      answerNames: [],
      removesOnLeave: false,
      rollout: undefined,
    },
    leaf,
    hosts: new Set(hosts),
    method,
    silentAfterMs: parseDuration(silentAfter) ?? 0,
  };
}
