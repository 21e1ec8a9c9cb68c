import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../src/json/json.ts';
import { isObject, ownMember } from '../../src/json/json.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { berth, listen, NOW } from '../cli/terminals.ts';
import { answered } from '../support/arm/answers.ts';
import type { FakeArm } from '../support/arm/fake-arm.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

export const SUBSCRIPTION = '00000000-0000-0000-0000-000000000000';
export const MANAGED_HUB = idOf('rg-berth-test', 'IotHubs', 'contoso-weu');
export const EXISTING_HUB = idOf('plant', 'IotHubs', 'contoso-plant');
export const MANAGED_DPS = idOf('rg-berth-test', 'provisioningServices', 'dps-berth-abc');
export const EXISTING_DPS = idOf('local', 'provisioningServices', 'contoso-dps');
export const ROUTING_IDENTITY = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-berth-test/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-berth-route-main-abc`;

function idOf(group: string, type: string, name: string): string {
  return `/subscriptions/${SUBSCRIPTION}/resourceGroups/${group}/providers/Microsoft.Devices/${type}/${name}`;
}

export const MANAGED = { host: 'contoso-weu.azure-devices.net', region: 'westeurope', tier: 'S1' };
export const EXISTING = {
  host: 'contoso-plant.azure-devices.net',
  region: 'westeurope',
  tier: 'S2',
  units: 3,
  azure: { subscription: SUBSCRIPTION, resourceGroup: 'plant' },
};

/** What `BERTH_CONNECTIONS` says, with changes. */
export function connectionsWith(more: JsonObject): string {
  const [deployment] = answered('deployments').value as readonly JsonObject[];
  const output = ownMember(ownMember(ownMember(deployment, 'properties'), 'outputs'), 'bertH_CONNECTIONS');
  const value = ownMember(output, 'value');
  return JSON.stringify({ ...(isObject(value) ? value : {}), ...more });
}

/** Runs `berth connect` with these hubs against a fake. Waiting takes no time, but the clock goes on. */
export async function connect(
  arm: FakeArm,
  hubs: readonly object[],
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  const file = join(temporaryFolder('connect'), 'fleet.json');
  writeFileSync(file, JSON.stringify({ hubs }));
  let now: EpochMs = NOW;
  const waited: number[] = [];
  const spoken = listen(
    { IOT_ENDPOINT: arm.origin, AZURE_RESOURCE_GROUP: 'rg-berth-test', ...env },
    () => now,
  );
  const cli = {
    ...spoken.cli,
    async wait(ms: number) {
      waited.push(ms);
      now = plus(now, ms);
    },
  };
  let code: number | undefined;
  let failure: unknown;
  try {
    code = await berth(cli, 'connect', ...args, '--fleet', file);
  } catch (error) {
    failure = error;
  }
  return { code, failure, out: spoken.out(), err: spoken.err(), waited };
}
