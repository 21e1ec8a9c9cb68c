import type { JsonObject, JsonValue } from '../../src/json.ts';
import { twinDocument } from './device-document.ts';
import type { Device } from './device-store.ts';
import { ifMatchAllows } from './entity-tag.ts';
import { twinReplaced, twinUpdated } from './events.ts';
import { deviceOf, type Hub } from './hub.ts';
import { HubError } from './hub-error.ts';
import { isJsonObject, member, without } from './json.ts';
import {
  appliedByConfiguration,
  configurationMark,
  patchTwin,
  portalPatch,
  replaceTwin,
  reportTwin,
  type Section,
  type ServiceSections,
  sectionForDevice,
  type Twin,
  twinEtag,
} from './twin.ts';
import { problemOfContent, problemOfSize } from './twin-limits.ts';

/* Each of these throws a `HubError` when the hub refuses: `DeviceNotFound`, `ArgumentInvalid`, `PreconditionFailed`. */

/** The twin as the service sees it. */
export function readTwin(hub: Hub, deviceId: string): JsonObject {
  return twinDocument(deviceOf(hub, deviceId), hub.connections.presence(deviceId));
}

/** PATCH `/twins/{id}`: answers the twin after it. */
export function patchTwinOf(hub: Hub, deviceId: string, body: JsonObject, ifMatch?: string): JsonObject {
  const device = writableDevice(hub, deviceId, ifMatch);
  // A section that is null is not cleared by PATCH (azure-docs#32289).
  return applyPatch(
    hub,
    device,
    readSections(body, () => undefined),
  );
}

/** PUT `/twins/{id}`: replaces the sections that are given, clears those that are null. */
export function replaceTwinOf(hub: Hub, deviceId: string, body: JsonObject, ifMatch?: string): JsonObject {
  const device = writableDevice(hub, deviceId, ifMatch);
  const sections = readSections(body, () => ({}));
  const at = hub.tick();
  const { twin, notice } = replaceTwin(device.twin, sections, at);
  keep(hub, device, twin);
  hub.emit(twinReplaced(hub.origin(deviceId, at), twin));
  if (notice !== undefined) notify(hub, deviceId, notice);
  return readTwin(hub, deviceId);
}

/** An edit as the portal makes it: all tags and all desired properties are written, whatever changed. */
export function editAsPortal(hub: Hub, deviceId: string, body: JsonObject): JsonObject {
  const device = writableDevice(hub, deviceId, undefined);
  const edit = readSections(body, () => undefined);
  return applyPatch(hub, device, portalPatch(device.twin, edit));
}

/**
 * A write of the automatic device configuration of that name. Its event also holds the desired properties that it
 * left alone.
 */
export function editAsConfiguration(hub: Hub, deviceId: string, body: JsonObject, name: string): JsonObject {
  const device = writableDevice(hub, deviceId, undefined);
  const { tags, desired } = readSections(body, () => undefined);
  if (desired === undefined || tags !== undefined) {
    throw new HubError('ArgumentInvalid', 'A configuration writes desired properties and nothing else.');
  }
  return applyPatch(hub, device, { desired }, name);
}

/** The device's patch of its reported properties; answers the new version of the section. */
export function reportProperties(hub: Hub, deviceId: string, patch: JsonValue | undefined): number {
  const device = deviceOf(hub, deviceId);
  if (!isJsonObject(patch))
    throw new HubError('ArgumentInvalid', 'The reported properties are not a JSON object.');
  refuse(problemOfContent(patch));
  const at = hub.tick();
  const { twin, applied } = reportTwin(device.twin, patch, at);
  keep(hub, device, twin);
  hub.connections.active(deviceId, at);
  hub.emit(twinUpdated(hub.origin(deviceId, at), twin, { reported: applied }));
  return twin.reported.version;
}

/** The twin as its device sees it: both sections of properties, without metadata and tags. */
export function twinForDevice(hub: Hub, deviceId: string): JsonObject {
  const { twin } = deviceOf(hub, deviceId);
  hub.connections.active(deviceId, hub.tick());
  return { desired: sectionForDevice(twin.desired), reported: sectionForDevice(twin.reported) };
}

function applyPatch(hub: Hub, device: Device, sections: ServiceSections, configuration?: string): JsonObject {
  const { deviceId } = device.identity;
  const at = hub.tick();
  const mark = configuration === undefined ? undefined : configurationMark(configuration, at);
  const { twin, applied } = patchTwin(device.twin, sections, at, mark);
  if (twin !== device.twin) {
    keep(hub, device, twin);
    const told = mark === undefined ? applied : appliedByConfiguration(device.twin, twin, applied);
    hub.emit(twinUpdated(hub.origin(deviceId, at), twin, told));
    if (applied.desired !== undefined) notify(hub, deviceId, applied.desired);
  }
  return readTwin(hub, deviceId);
}

/** A disabled device is not found by writers (404001, troubleshoot-error-codes.md). */
function writableDevice(hub: Hub, deviceId: string, ifMatch: string | undefined): Device {
  const device = deviceOf(hub, deviceId);
  if (device.identity.status === 'disabled') {
    throw new HubError('DeviceNotFound', `Device ${deviceId} is disabled`);
  }
  if (!ifMatchAllows(ifMatch, twinEtag(device.twin))) {
    throw new HubError(
      'PreconditionFailed',
      `Precondition failed: Device version did not match, existing ETag is ${twinEtag(device.twin)}`,
    );
  }
  return device;
}

function keep(hub: Hub, device: Device, twin: Twin): void {
  checkSizes(device.twin, twin);
  hub.store.put({ ...device, twin });
}

/** Only a section that was written is measured: one that is too large already must not block the others. */
function checkSizes(before: Twin, after: Twin): void {
  if (before.tags !== after.tags) refuse(problemOfSize('tags', after.tags));
  if (before.desired !== after.desired) refuse(problemOfSize('desired', after.desired.values));
  if (before.reported !== after.reported) refuse(problemOfSize('reported', after.reported.values));
}

function notify(hub: Hub, deviceId: string, patch: Section): void {
  if (hub.connections.link(deviceId)?.notifyDesired(patch) === true) {
    hub.spend(JSON.stringify(patch.values).length);
  }
}

/**
 * The sections in the body of a PATCH, a PUT or an initial twin. `$metadata` and `$version`, which come along
 * when a client sends a twin back, are not the client's to write and are left out. `ofNull` says what a
 * section that is null stands for.
 */
export function readSections(body: JsonObject, ofNull: () => JsonObject | undefined): ServiceSections {
  const properties = member(body, 'properties');
  if (properties !== undefined && properties !== null && !isJsonObject(properties)) {
    throw new HubError('ArgumentInvalid', 'properties is not a JSON object.');
  }
  const tags = readSection('tags', member(body, 'tags'), ofNull);
  const desired = readSection(
    'properties.desired',
    isJsonObject(properties) ? member(properties, 'desired') : undefined,
    ofNull,
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
  if (!isJsonObject(section)) throw new HubError('ArgumentInvalid', `${name} is not a JSON object.`);
  const values = without(section, '$metadata', '$version');
  refuse(problemOfContent(values));
  return values;
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new HubError('ArgumentInvalid', problem);
}
