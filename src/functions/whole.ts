/*
 * All that the webhook does not need, for the bundle: it becomes one file, which is loaded when a function first needs it.
 */

export { Instance } from '../instance/instance.ts';
export { attention } from './attention.ts';
export { deadLetter, deadLetters } from './dead-letters.ts';
export { device } from './device.ts';
export { deviceHistory } from './device-history.ts';
export { devices } from './devices.ts';
export { consoleFiles, openApiFile } from './files.ts';
export { fleetStatus } from './fleet-status.ts';
export { health } from './health.ts';
export { healthDetail } from './health-detail.ts';
export { queue } from './queue.ts';
export { resyncFleet } from './resync-fleet.ts';
export { series } from './series.ts';
export { syncTwins } from './sync-twins.ts';
