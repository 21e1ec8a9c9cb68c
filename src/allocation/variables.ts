import { type Variables, variablesOf } from '../fleet/expression.ts';
import type { Hub } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import type { AllocationRequest } from './request.ts';

/**
 * What rules see: the request under the names that `docs/fleet-file.md` lists. Absent parts are empty objects,
 * so that `has()` works.
 */
export function requestFacts(request: AllocationRequest): JsonObject {
  const { enrollment, attestation, current } = request;
  return {
    registrationId: request.registrationId.toLowerCase(),
    enrollment: present({
      kind: enrollment.kind,
      id: enrollment.id,
      iotEdge: enrollment.iotEdge,
      initialTwin: enrollment.initialTwin as JsonObject | undefined,
    }),
    attestation: present({ kind: attestation.kind, subject: attestation.subject }),
    payload: request.payload ?? {},
    current: current === undefined ? {} : present({ hub: current.hub, deviceId: current.deviceId }),
  };
}

export function ruleVariables(request: AllocationRequest): Variables {
  return variablesOf(requestFacts(request));
}

/** What layers and the returned payload see besides: the hub that the device goes to. */
export function hubVariables(variables: Variables, host: HostName, hub: Hub | undefined): Variables {
  const facts = hub === undefined ? { host } : { host, region: hub.region, labels: hub.labels };
  return { ...variables, ...variablesOf({ hub: facts }) };
}

function present(members: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as JsonObject;
}
