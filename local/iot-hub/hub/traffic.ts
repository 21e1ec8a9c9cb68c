import type { JsonObject, JsonValue } from '../../../src/json/json.ts';
import type { Address } from '../model/address.ts';

/** What a service sends to a device or module: for people who watch it. Events of the hub have their own sink. */
export type Traffic =
  | {
      readonly kind: 'message';
      readonly address: Address;
      readonly body: Buffer;
      readonly system: Readonly<Record<string, string>>;
      readonly properties: Readonly<Record<string, string | null>>;
    }
  | {
      readonly kind: 'method';
      readonly address: Address;
      readonly name: string;
      readonly payload: JsonValue;
      /** `{ status, payload }` of the device; undefined if it did not answer. */
      readonly answer: JsonObject | undefined;
    };
