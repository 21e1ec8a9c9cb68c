import type { JsonObject } from '../json.ts';
import type { Decision } from './decide.ts';

/**
 * The body that DPS reads; its spelling is exact (reference: concepts-custom-allocation, AllocationResponse).
 */
export interface AllocationAnswer {
  readonly iotHubHostName: string;
  readonly initialTwin?: { readonly tags: JsonObject; readonly properties: { readonly desired: JsonObject } };
  readonly payload?: JsonObject;
}

/** The answer to a decision that assigned a hub. */
export function answerOf(hub: string, { twin, payload }: Decision): AllocationAnswer {
  return {
    iotHubHostName: hub,
    ...(twin.twin === undefined
      ? {}
      : { initialTwin: { tags: twin.twin.tags, properties: { desired: twin.twin.desired } } }),
    ...(payload.payload === undefined ? {} : { payload: payload.payload }),
  };
}
