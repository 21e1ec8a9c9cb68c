import type { Variables } from '../../fleet/expressions/expression.ts';
import { readable, withNotKnown } from '../../fleet/expressions/expression-value.ts';
import type { Hub } from '../../fleet/fleet.ts';
import { type HostName, NOT_A_HOST_NAME } from '../../iot-hub/host-name.ts';
import type { JsonObject, JsonValue } from '../../json/json.ts';
import type { AllocationRequest, CurrentHub, EnrollmentTwin, UnknownInputs } from '../request/request.ts';

/** The variables that rules can read. */
type RequestFacts = Readonly<
  Record<'registrationId' | 'enrollment' | 'attestation' | 'payload' | 'current', JsonValue>
>;

/**
 * The request as the variables that `docs/fleet-file.md` lists. Absent parts are empty objects, so that
 * `has()` works.
 */
export function requestFacts(request: AllocationRequest): RequestFacts {
  const { enrollment, attestation, current } = request;
  const { kind, id, iotEdge, initialTwin } = enrollment;
  const { subject } = attestation;
  return {
    registrationId: request.registrationId.toLowerCase(),
    enrollment: withTwin(id === undefined ? { kind, iotEdge } : { kind, id, iotEdge }, initialTwin),
    attestation: subject === undefined ? { kind: attestation.kind } : { kind: attestation.kind, subject },
    payload: request.payload ?? NOTHING,
    current: current === undefined ? NOTHING : currentFacts(current),
  };
}

const NOTHING: JsonObject = {};

function withTwin(facts: JsonObject, twin: EnrollmentTwin | undefined): JsonObject {
  return twin === undefined ? facts : { ...facts, initialTwin: { tags: twin.tags, desired: twin.desired } };
}

function currentFacts({ hub, deviceId }: CurrentHub): JsonObject {
  return {
    ...(hub === NOT_A_HOST_NAME ? NOTHING : { hub }),
    ...(deviceId === undefined ? NOTHING : { deviceId }),
  };
}

export function ruleVariables(request: AllocationRequest): Variables {
  const { registrationId, enrollment, attestation, payload, current } = requestFacts(request);
  const known = {
    registrationId,
    enrollment: readable(enrollment),
    attestation,
    payload: readable(payload),
    current,
  };
  return request.unknown === undefined ? known : withMarks(known, request.unknown);
}

function withMarks(known: Variables, { marked }: UnknownInputs): Variables {
  const variables: Record<string, unknown> = { ...known };
  for (const [name, ...path] of marked) {
    if (name !== undefined) variables[name] = withNotKnown(variables[name], path);
  }
  return variables;
}

/** Adds the chosen hub, which layers and the returned payload can also read. */
export function hubVariables(variables: Variables, host: HostName, hub: Hub | undefined): Variables {
  const { registrationId, enrollment, attestation, payload, current } = variables;
  return { registrationId, enrollment, attestation, payload, current, hub: hub?.facts ?? { host } };
}
