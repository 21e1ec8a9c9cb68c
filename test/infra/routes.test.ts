import { expect, test } from '@jest/globals';
import { HUB_ROUTING } from '../../local/iot-hub/index.ts';
import { BERTH_ROUTING } from '../../local/plan/berth-plan.ts';
import { describeBicep, snapshotOfFile } from './bicep.ts';
import { at } from './resource.ts';

/** What decides about events. Of an endpoint, only its name: its Event Hub has another name in each environment. */
function essence(routing: unknown) {
  const { endpoints, ...rest } = HUB_ROUTING.parse(routing);
  return { ...rest, endpoints: endpoints.eventHubs.map(({ name }) => name) };
}

describeBicep('the routes that infra/ deploys', () => {
  test.each(['infra/main.bicepparam', 'infra/small.bicepparam', 'infra/production.bicepparam'])(
    '%s gives every hub the routes of npm start',
    async (file) => {
      const { predictedResources } = await snapshotOfFile(file);
      const hubs = predictedResources.filter(({ type }) => type === 'Microsoft.Devices/IotHubs');

      expect(hubs.length).toBeGreaterThan(0);
      for (const { properties } of hubs)
        expect(essence(at(properties, 'routing'))).toEqual(essence(BERTH_ROUTING));
    },
  );
});
