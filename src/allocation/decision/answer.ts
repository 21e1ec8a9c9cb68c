import type { JsonObject } from '../../json/json.ts';
import type { EnrollmentTwin } from '../request/request.ts';
import type { Decision } from './decide.ts';

/**
 * The body of the answer to DPS. The names of its fields are exact (concepts-custom-allocation,
 * AllocationResponse).
 */
export interface AllocationAnswer {
  readonly iotHubHostName: string;
  readonly initialTwin?: JsonObject & {
    readonly tags: JsonObject;
    readonly properties: JsonObject & { readonly desired: JsonObject };
  };
  readonly payload?: JsonObject;
}

/** The answer to a decision that assigned a hub. */
export function answerOf(hub: string, { twin: { twin }, payload: { payload } }: Decision): AllocationAnswer {
  if (twin === undefined)
    return payload === undefined ? { iotHubHostName: hub } : { iotHubHostName: hub, payload };
  const initialTwin = initialTwinOf(twin);
  return payload === undefined
    ? { iotHubHostName: hub, initialTwin }
    : { iotHubHostName: hub, initialTwin, payload };
}

function initialTwinOf({
  tags,
  desired,
  others,
}: EnrollmentTwin): NonNullable<AllocationAnswer['initialTwin']> {
  return others === undefined
    ? { tags, properties: { desired } }
    : { ...others.twin, tags, properties: { ...others.properties, desired } };
}
