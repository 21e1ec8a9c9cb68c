/**
 * The local IoT hubs: twins, identities, their events, the service REST API and the device API. Pure
 * arithmetic of twins is in `twin.ts` and `merge.ts`; the servers that carry the APIs are `local/https` and
 * `local/mqtt`.
 */
export type { HubCounters } from './counters.ts';
export type { EventSink, HubEvent } from './event-sink.ts';
export type { FaultSettings } from './faults.ts';
export { deviceNameOf, isSameHub, readHubName } from './host-name.ts';
export type { HubSettings } from './hub.ts';
export { HubError } from './hub-error.ts';
export type { FaultStatus } from './hub-faults.ts';
export type { Authentication } from './identity.ts';
export { createIotHubs, type HubView, type IotHubs, type IotHubsOptions, type Writer } from './iot-hubs.ts';
export type { PortableDevice, ProvisioningAccess } from './provisioning-access.ts';
export { DEVELOPMENT_SERVICE_KEY, SERVICE_POLICY } from './service-authorization.ts';
export type { Shaping, Tier } from './throttle.ts';
