/**
 * The local IoT hubs: twins, identities, their events, the service REST API and the device API. `model/` contains the
 * pure functions for twins. `local/https` and `local/mqtt` are the servers of the APIs.
 */

export type { EventsPlace } from './amqp/event-links.ts';
export type { FaultSettings } from './faults/faults.ts';
export type { FaultStatus } from './faults/hub-faults.ts';
export { CLOUD_TO_DEVICE } from './hub/cloud-to-device.ts';
export type { HubCounters } from './hub/counters.ts';
export type { EventSink, HubEvent } from './hub/event-sink.ts';
export type { HubSettings } from './hub/hub.ts';
export type { LocalTier, Shaping } from './hub/throttle.ts';
export type { Traffic } from './hub/traffic.ts';
export type { StoredBlob, UploadGrant, UploadStorage } from './hub/uploads.ts';
export {
  createIotHubs,
  type HubView,
  type IotHubs,
  type LocalIotHubsOptions,
  type Writer,
} from './iot-hubs.ts';
export { type AccessPolicy, builtInPolicies } from './model/access-policy.ts';
export type { AppNeeds } from './model/app-roles.ts';
export { deviceNameOf, isSameHub, readHubName } from './model/host-name.ts';
export { HubRefusal } from './model/hub-error.ts';
export type { Authentication } from './model/identity.ts';
export type { PortableDevice, ProvisioningAccess } from './operations/provisioning-access.ts';
export {
  BUILT_IN_ENDPOINT,
  HUB_ROUTING,
  type LocalRouting,
  NEW_HUB_ROUTING,
} from './routing/hub-routing.ts';
export { createRouter } from './routing/router.ts';
export { DEVELOPMENT_SERVICE_KEY } from './service-api/service-authorization.ts';
