import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { DPS_HOST, ID_SCOPE } from '../enrollments.ts';
import { readLocalFleet } from '../fleet-file.ts';
import { type HubSettings, NEW_HUB_ROUTING } from '../iot-hub/index.ts';
import { readLocalFile } from './local-file.ts';
import { type LocalPlan, NEW_BUILT_IN_ENDPOINT } from './local-plan.ts';

/** The hub of a folder without files. */
const ONLY_HUB: HubSettings = { host: 'local-hub.azure-devices.net', tier: 'S1', units: 1 };

/**
 * What `npm run local -- --plain` runs: what `local.json` says, or else the hubs of the fleet file with the routing of a new
 * hub, or else one hub.
 *
 * @param folder the project's folder.
 * @param file a file in place of `local.json`, which must exist.
 * @throws LocalError `BERTH_LOCAL_CONFIGURATION_INVALID`, `BERTH_LOCAL_FLEET_INVALID`
 */
export function plainPlan(folder: string, file: string | undefined): LocalPlan {
  const configuration = resolve(folder, file ?? 'local.json');
  if (file !== undefined || existsSync(configuration)) return readLocalFile(configuration);
  const fleet = resolve(folder, process.env.FLEET_FILE || 'fleet.json');
  const hubs = existsSync(fleet) ? readLocalFleet(fleet).hubs : [ONLY_HUB];
  return {
    hubs: hubs.map(({ host, tier, units }) => ({
      host,
      tier,
      units,
      builtInEndpoint: NEW_BUILT_IN_ENDPOINT,
      routing: NEW_HUB_ROUTING,
    })),
    eventHubs: [],
    dps: { idScope: ID_SCOPE, host: DPS_HOST, linkedHubs: hubs.map(({ host }) => host), groups: [] },
    ports: {},
  };
}
