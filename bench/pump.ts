import type { JsonObject, JsonValue } from '../src/json/json.ts';

/*
 * A typical pump of a fleet, with fifteen reported properties on two levels, six desired properties and three tags; and
 * the policies for it.
 */

export const PUMP_HOST = 'contoso-weu.azure-devices.net';

/** Six typical policies: two read reported properties, one computes a value, one is for a component. */
const POLICIES: readonly JsonObject[] = [
  { name: 'battery-saver', when: 'reported.power.battery < 20', desired: { sendDataInterval: 60_000 } },
  { name: 'hot', when: 'reported.pump.temperature > 80.0', desired: { pump: { maxSpeed: 900 } } },
  { name: 'interval', desired: { sendDataInterval: 5_000 } },
  { name: 'site', desired: { location: '=tags.site' } },
  { name: 'pump', desired: { pump: { maxSpeed: 1_500, mode: 'auto' } } },
  { name: 'log', when: "tags.ring != 'canary'", desired: { log: { level: 'info' } } },
];

/** The other policies: for devices that this pump does not match, or for further properties of it. */
function more(index: number): JsonObject {
  const name = `extra-${index}`;
  return index % 2 === 0
    ? { name, when: `tags.ring == 'ring-${index}'`, desired: { extra: { [name]: index } } }
    : { name, desired: { extra: { [name]: index } } };
}

/** A fleet file. @param policies number of its policies, at least six. */
export function pumpFleet(
  policies: number,
  tier: string,
  hosts: readonly string[] = [PUMP_HOST],
): JsonObject {
  return {
    hubs: hosts.map((host) => ({ host, region: 'westeurope', tier })),
    twins: { policies: Array.from({ length: policies }, (_, index) => POLICIES[index] ?? more(index)) },
  };
}

/** The acknowledgement of a desired version by a device, as IoT Plug and Play defines it. */
export function acknowledged(value: JsonValue, av = 1): JsonObject {
  return { value, ac: 200, av };
}

/** The twin of a new pump that is in sync with the policies. */
export function pumpTwin(policies: number): {
  readonly [section in 'tags' | 'desired' | 'reported']: JsonObject;
} {
  const indexes = Array.from({ length: policies }, (_, index) => index);
  const extra = Object.fromEntries(
    indexes
      .filter((index) => index >= POLICIES.length && index % 2 === 1)
      .map((index) => [`extra-${index}`, index]),
  );
  const more = Object.keys(extra).length > 0 && { extra };
  return {
    tags: { site: 'amsterdam', ring: 'broad', model: 'pump-2' },
    desired: {
      sendDataInterval: 5_000,
      location: 'amsterdam',
      pump: { maxSpeed: 1_500, mode: 'auto' },
      log: { level: 'info' },
      timeZone: 'Europe/Amsterdam',
      ...more,
    },
    reported: {
      sendDataInterval: acknowledged(5_000),
      location: acknowledged('amsterdam'),
      pump: {
        __t: 'c',
        maxSpeed: acknowledged(1_500),
        mode: acknowledged('auto'),
        temperature: 41.5,
        speed: 1_210,
      },
      log: { level: acknowledged('info') },
      power: { battery: 80, voltage: 12.1, source: 'mains' },
      firmware: { version: '4.2.1', channel: 'stable' },
      network: { kind: 'lte', rssi: -71, operator: 'kpn' },
      ...more,
    },
  };
}
