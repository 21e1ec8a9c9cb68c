import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import type { Entry } from '../hub/device-store.ts';
import type { HubEvent } from '../hub/event-sink.ts';
import { digitalTwinUpdated, twinReplaced, twinUpdated } from '../hub/events.ts';
import { entryOf, isDeviceDisabled, type LocalHub } from '../hub/hub.ts';
import { type Address, addressOf } from '../model/address.ts';
import { describeDigitalTwin } from '../model/digital-twin.ts';
import { isSystemModule } from '../model/edge.ts';
import { ifMatchAllows } from '../model/entity-tag.ts';
import { HubRefusal } from '../model/hub-error.ts';
import type { Ticks } from '../model/instant.ts';
import { withoutKeys } from '../model/json.ts';
import { jsonPatch } from '../model/json-patch.ts';
import { replacementPatch } from '../model/merge.ts';
import {
  appliedByConfiguration,
  configurationMark,
  type HubTwin,
  type HubTwinSection,
  patchTwin,
  portalPatch,
  replaceTwin,
  reportTwin,
  type ServiceSections,
  sectionForDevice,
  twinEtag,
} from '../model/twin.ts';
import { problemOfContent, problemOfSize } from '../model/twin-limits.ts';
import { twinDocument } from './device-document.ts';

/*
 * These operations apply to twins of devices and of modules. Each throws a `HubRefusal` if the hub refuses it:
 * `DeviceNotFound`, `ModuleNotFound`, `ArgumentInvalid`, `PreconditionFailed`; writes of services to the modules of the
 * Edge runtime `SystemModuleModifyUnauthorizedAccess`.
 */

/** The twin in the form for services. */
export function serviceTwin(hub: LocalHub, address: Address): JsonObject {
  return twinDocument(entryOf(hub, address), hub.connections.presence(address));
}

/** PATCH `/twins/{id}`. Returns the new twin. */
export function patchTwinOf(hub: LocalHub, address: Address, body: JsonObject, ifMatch?: string): JsonObject {
  const entry = writableByService(hub, address, ifMatch);
  return applyPatch(hub, entry, readServicePatch(body, entry.twin));
}

/**
 * The patch in the body of a service's PATCH. A section that is null is cleared (the end-to-end tests of twins in
 * azure-iot-sdk-node): the patch then has a `null` for each of its keys.
 */
function readServicePatch(body: JsonObject, { tags, desired }: HubTwin): ServiceSections {
  const current = { tags, desired: desired.values };
  return readServiceSections(body, (section) => replacementPatch(current[section], {}));
}

/** PUT `/twins/{id}`. Replaces the given sections and clears those that are null. */
export function replaceTwinOf(
  hub: LocalHub,
  address: Address,
  body: JsonObject,
  ifMatch?: string,
): JsonObject {
  return replaceSections(
    hub,
    writableByService(hub, address, ifMatch),
    readServiceSections(body, () => ({})),
  );
}

/** Overwrites the sections that an import gives, also those of a disabled device. Without one, it only checks the etag. */
export function importTwin(hub: LocalHub, address: Address, body: JsonObject, ifMatch?: string): void {
  const entry = entryOf(hub, address);
  checkMatch(entry, ifMatch);
  const sections = readServiceSections(body, () => undefined);
  if (Object.keys(sections).length > 0) replaceSections(hub, entry, sections);
}

function replaceSections(hub: LocalHub, entry: Entry, sections: ServiceSections): JsonObject {
  const { deviceId, moduleId } = entry.identity;
  const address = addressOf(deviceId, moduleId);
  const at = hub.tick();
  const { twin, notice } = replaceTwin(entry.twin, sections, at);
  keep(hub, entry, twin);
  emitChange(hub, entry, twin, twinReplaced(hub.origin(address, at), twin), at);
  if (notice !== undefined) notify(hub, address, notice);
  return serviceTwin(hub, address);
}

/** An edit in the portal. It writes all tags and all desired properties, also those that did not change. */
export function editAsPortal(hub: LocalHub, address: Address, body: JsonObject): JsonObject {
  const entry = writableByService(hub, address, undefined);
  const edit = readServicePatch(body, entry.twin);
  return applyPatch(hub, entry, portalPatch(entry.twin, edit));
}

/**
 * A write of the automatic configuration with this name. Its event also contains the desired properties that did not
 * change.
 */
export function editAsConfiguration(
  hub: LocalHub,
  address: Address,
  body: JsonObject,
  name: string,
): JsonObject {
  const entry = writableEntry(hub, address, undefined);
  const { tags, desired } = readServiceSections(body, () => undefined);
  if (desired === undefined || tags !== undefined) {
    throw new HubRefusal('ArgumentInvalid', 'A configuration can write only desired properties.');
  }
  return applyPatch(hub, entry, { desired }, name);
}

/**
 * A patch by a device or module to its reported properties. Returns the new version of the section.
 *
 * @param baseVersion the version of the section that the patch is for; undefined: any.
 */
export function reportProperties(
  hub: LocalHub,
  address: Address,
  patch: JsonValue | undefined,
  baseVersion?: number,
): number {
  const entry = entryOf(hub, address);
  const { version } = entry.twin.reported;
  if (baseVersion !== undefined && baseVersion !== version) {
    throw new HubRefusal(
      'PreconditionFailed',
      `Precondition failed: the version of the reported properties is ${version}, not ${baseVersion}.`,
    );
  }
  if (!isObject(patch))
    throw new HubRefusal('ArgumentInvalid', 'The reported properties are not a JSON object.');
  refuse(problemOfContent(patch));
  const at = hub.tick();
  const { twin, applied } = reportTwin(entry.twin, patch, at);
  keep(hub, entry, twin);
  hub.connections.active(address, at);
  emitChange(hub, entry, twin, twinUpdated(hub.origin(address, at), twin, { reported: applied }), at);
  return twin.reported.version;
}

/** The twin in the form for its device or module: both sections of properties, without metadata and tags. */
export function twinForDevice(hub: LocalHub, address: Address): JsonObject {
  const { twin } = entryOf(hub, address);
  hub.connections.active(address, hub.tick());
  return { desired: sectionForDevice(twin.desired), reported: sectionForDevice(twin.reported) };
}

function applyPatch(
  hub: LocalHub,
  entry: Entry,
  sections: ServiceSections,
  configuration?: string,
): JsonObject {
  const { identity } = entry;
  const at = hub.tick();
  const mark = configuration === undefined ? undefined : configurationMark(configuration, at);
  const { twin, applied } = patchTwin(entry.twin, sections, at, mark);
  if (twin !== entry.twin) {
    keep(hub, entry, twin);
    const inEvent = mark === undefined ? applied : appliedByConfiguration(entry.twin, twin, applied);
    emitChange(hub, entry, twin, twinUpdated(hub.origin(identity, at), twin, inEvent), at);
    if (applied.desired !== undefined) notify(hub, identity, applied.desired);
  }
  return serviceTwin(hub, identity);
}

/**
 * The entry for a write of a service. Only an apply or a configuration can write the twins of the Edge runtime (401100,
 * troubleshoot-error-codes.md 2026-01).
 */
function writableByService(hub: LocalHub, address: Address, ifMatch: string | undefined): Entry {
  const entry = writableEntry(hub, address, ifMatch);
  checkNotReserved(hub, address);
  return entry;
}

/**
 * Refuses a write to a module of the Edge runtime (iotedge#1162).
 *
 * @throws HubRefusal `SystemModuleModifyUnauthorizedAccess`
 */
export function checkNotReserved(hub: LocalHub, address: Address): void {
  const isEdge = hub.store.get({ deviceId: address.deviceId })?.identity.capabilities.iotEdge === true;
  if (!isEdge || !isSystemModule(address)) return;
  throw new HubRefusal('SystemModuleModifyUnauthorizedAccess', 'Unauthorized to modify reserved module.');
}

/** The entry for a write. A disabled device counts as not found (404001, troubleshoot-error-codes.md). */
export function writableEntry(hub: LocalHub, address: Address, ifMatch: string | undefined): Entry {
  const entry = entryOf(hub, address);
  if (isDeviceDisabled(hub, address)) {
    throw new HubRefusal('DeviceNotFound', `Device ${address.deviceId} is disabled`);
  }
  checkMatch(entry, ifMatch);
  return entry;
}

function checkMatch({ twin }: Entry, ifMatch: string | undefined): void {
  if (ifMatchAllows(ifMatch, twinEtag(twin))) return;
  throw new HubRefusal(
    'PreconditionFailed',
    `Precondition failed: Device version did not match, existing ETag is ${twinEtag(twin)}`,
  );
}

function keep(hub: LocalHub, entry: Entry, twin: HubTwin): void {
  checkSizes(entry.twin, twin);
  hub.store.put({ ...entry, twin });
}

/** Checks only the written sections, so that an existing section that is too large does not block others. */
function checkSizes(before: HubTwin, after: HubTwin): void {
  if (before.tags !== after.tags) refuse(problemOfSize('tags', after.tags));
  if (before.desired !== after.desired) refuse(problemOfSize('desired', after.desired.values));
  if (before.reported !== after.reported) refuse(problemOfSize('reported', after.reported.values));
}

/**
 * Sends the event of a change, and that of the digital twin if the device or module has a model and the change is visible
 * there.
 *
 * @param before the entry before the change.
 */
export function emitChange(hub: LocalHub, before: Entry, twin: HubTwin, event: HubEvent, at: Ticks): void {
  hub.emit(event);
  const { identity, modelId } = before;
  if (modelId === undefined) return;
  const view = (of: HubTwin) => describeDigitalTwin(identity.deviceId, modelId, of);
  const patch = jsonPatch(view(before.twin), view(twin));
  const address = addressOf(identity.deviceId, identity.moduleId);
  if (patch.length > 0) hub.emit(digitalTwinUpdated(hub.origin(address, at), patch));
}

export function notify(hub: LocalHub, address: Address, patch: HubTwinSection): void {
  const link = hub.connections.link(address);
  if (link !== undefined && hub.notifies(address) && link.notifyDesired(patch)) {
    hub.spend(JSON.stringify(patch.values).length);
  }
}

/**
 * The sections in the body of a PATCH, a PUT or an initial twin. `$metadata` and `$version` are ignored, because
 * clients send them back with a twin but cannot write them. `ofNull` gives the meaning of a section that is null.
 */
export function readServiceSections(
  body: JsonObject,
  ofNull: (section: 'tags' | 'desired') => JsonObject | undefined,
): ServiceSections {
  const properties = ownMember(body, 'properties');
  if (properties !== undefined && properties !== null && !isObject(properties)) {
    throw new HubRefusal('ArgumentInvalid', 'properties is not a JSON object.');
  }
  const tags = readSection('tags', ownMember(body, 'tags'), () => ofNull('tags'));
  const desired = readSection('properties.desired', ownMember(properties, 'desired'), () =>
    ofNull('desired'),
  );
  return { ...(tags && { tags }), ...(desired && { desired }) };
}

function readSection(
  name: string,
  section: JsonValue | undefined,
  ofNull: () => JsonObject | undefined,
): JsonObject | undefined {
  if (section === undefined) return undefined;
  if (section === null) return ofNull();
  if (!isObject(section)) throw new HubRefusal('ArgumentInvalid', `${name} is not a JSON object.`);
  const values = withoutKeys(section, '$metadata', '$version');
  refuse(problemOfContent(values));
  return values;
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new HubRefusal('ArgumentInvalid', problem);
}
