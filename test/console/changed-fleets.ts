import type { FleetFile } from './running-stack.ts';

/* Fleet files of the console's tests and pictures. */

/** The simulated device that refuses the value of `battery-saver`. */
export const PICKY = 'sim-0002';
/** The IoT Edge device of the stack, and what runs on it. */
export const EDGE = 'edge-0001';
const SENSOR = 'mcr.microsoft.com/azureiotedge-simulated-temperature-sensor:1.6';

/** `battery-saver` in two stages. The first one lasts longer than the tests. The device that refuses is not in it, so it does not fail. */
export function withRollout({ twins, ...fleet }: FleetFile): FleetFile {
  const rollout = {
    stages: [
      { name: 'most', where: `deviceId != '${PICKY}'`, atLeast: '1h' },
      { name: 'all', share: 1 },
    ],
  };
  const policies = twins.policies.map((policy) =>
    policy.name === 'battery-saver' ? { ...policy, rollout } : policy,
  );
  return { ...fleet, twins: { ...twins, policies } };
}

/** A deployment for the IoT Edge device of the stack. */
export function withSensor(fleet: FleetFile): FleetFile {
  const modules = { tempSensor: { image: SENSOR, desired: { SendInterval: 5 } } };
  const routes = { toCloud: 'FROM /messages/* INTO $upstream' };
  return { ...fleet, edge: { deployments: [{ name: 'sensor', modules, routes }] } };
}
