import { expect, test } from '@jest/globals';
import { readLocalFleet } from '../../local/fleet-file.ts';
import { HUB_ROUTING } from '../../local/iot-hub/index.ts';
import { BERTH_ROUTING } from '../../local/plan/berth-plan.ts';
import { readConnections } from '../../src/connect/connections.ts';
import { changedHub } from '../../src/connect/hub-body.ts';
import { planHub } from '../../src/connect/hub-plan.ts';
import { wantedHubs } from '../../src/connect/wanted.ts';
import { shortName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { describeBicep, snapshotOfFile } from './bicep.ts';
import { at } from './resource.ts';

/** What decides about events. Of an endpoint, only its name: its Event Hub has another name in each environment. */
function essence(routing: unknown) {
  const { endpoints, ...rest } = HUB_ROUTING.parse(routing);
  return { ...rest, endpoints: endpoints.eventHubs.map(({ name }) => name) };
}

describeBicep('the routes of a hub that infra/ has created and berth connect has connected', () => {
  test.each([
    ['infra/main.bicepparam', 'fleet.json'],
    ['infra/small.bicepparam', 'infra/fleet.small.json'],
    ['infra/production.bicepparam', 'infra/fleet.production.json'],
  ])('are those of npm start for %s', async (file, fleet) => {
    const { predictedResources, outputs } = await snapshotOfFile(file);
    const connections = readConnections(JSON.stringify(outputs.BERTH_CONNECTIONS));
    const { hubs } = wantedHubs(readLocalFleet(fleet).file.hubs, connections);

    expect(hubs.length).toBeGreaterThan(0);
    for (const wanted of hubs) {
      const created = predictedResources.find(
        ({ type, name }) => type === 'Microsoft.Devices/IotHubs' && name === shortName(wanted.host),
      );
      const hub = { ...created } as JsonObject;
      const connected = changedHub(hub, planHub(hub, wanted, true).changes);
      expect(essence(at(connected.properties, 'routing'))).toEqual(essence(BERTH_ROUTING));
    }
  });
});
