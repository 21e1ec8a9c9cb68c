import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import type { Entry } from '../hub/device-store.ts';
import { twinReplaced, twinUpdated } from '../hub/events.ts';
import { entryOf, isDeviceDisabled, type LocalHub } from '../hub/hub.ts';
import type { Address } from '../model/address.ts';
import { ifMatchAllows } from '../model/entity-tag.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { withoutKeys } from '../model/json.ts';
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
 * A twin is a twin, whether a device's or a module's. Each of these throws a `HubError` when the hub refuses:
 * `DeviceNotFound`, `ModuleNotFound`, `ArgumentInvalid`, `PreconditionFailed`.
 */

/** The twin as the service sees it. */
export function serviceTwin(hub: LocalHub, address: Address): JsonObject {
  return twinDocument(entryOf(hub, address), hub.connections.presence(address));
}

/** PATCH `/twins/{id}`: answers the twin after it. */
export function patchTwinOf(hub: LocalHub, address: Address, body: JsonObject, ifMatch?: string): JsonObject {
  const entry = writableEntry(hub, address, ifMatch);
  // A section that is null is not cleared by PATCH (azure-docs#32289).
  return applyPatch(
    hub,
    entry,
    readServiceSections(body, () => undefined),
  );
}

/** PUT `/twins/{id}`: replaces the sections that are given, clears those that are null. */
export function replaceTwinOf(
  hub: LocalHub,
  address: Address,
  body: JsonObject,
  ifMatch?: string,
): JsonObject {
  const entry = writableEntry(hub, address, ifMatch);
  const sections = readServiceSections(body, () => ({}));
  const at = hub.tick();
  const { twin, notice } = replaceTwin(entry.twin, sections, at);
  keep(hub, entry, twin);
  hub.emit(twinReplaced(hub.origin(address, at), twin));
  if (notice !== undefined) notify(hub, address, notice);
  return serviceTwin(hub, address);
}

/** An edit as the portal makes it: all tags and all desired properties are written, whatever changed. */
export function editAsPortal(hub: LocalHub, address: Address, body: JsonObject): JsonObject {
  const entry = writableEntry(hub, address, undefined);
  const edit = readServiceSections(body, () => undefined);
  return applyPatch(hub, entry, portalPatch(entry.twin, edit));
}

/**
 * A write of the automatic configuration of that name. Its event also holds the desired properties that it left
 * alone.
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
    throw new HubRefusal('ArgumentInvalid', 'A configuration writes desired properties and nothing else.');
  }
  return applyPatch(hub, entry, { desired }, name);
}

/** The device's or module's patch of its reported properties; answers the new version of the section. */
export function reportProperties(hub: LocalHub, address: Address, patch: JsonValue | undefined): number {
  const entry = entryOf(hub, address);
  if (!isObject(patch))
    throw new HubRefusal('ArgumentInvalid', 'The reported properties are not a JSON object.');
  refuse(problemOfContent(patch));
  const at = hub.tick();
  const { twin, applied } = reportTwin(entry.twin, patch, at);
  keep(hub, entry, twin);
  hub.connections.active(address, at);
  hub.emit(twinUpdated(hub.origin(address, at), twin, { reported: applied }));
  return twin.reported.version;
}

/** The twin as its device or module sees it: both sections of properties, without metadata and tags. */
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
    const told = mark === undefined ? applied : appliedByConfiguration(entry.twin, twin, applied);
    hub.emit(twinUpdated(hub.origin(identity, at), twin, told));
    if (applied.desired !== undefined) notify(hub, identity, applied.desired);
  }
  return serviceTwin(hub, identity);
}

/** A disabled device is not found by writers (404001, troubleshoot-error-codes.md). */
function writableEntry(hub: LocalHub, address: Address, ifMatch: string | undefined): Entry {
  const entry = entryOf(hub, address);
  if (isDeviceDisabled(hub, address)) {
    throw new HubRefusal('DeviceNotFound', `Device ${address.deviceId} is disabled`);
  }
  if (!ifMatchAllows(ifMatch, twinEtag(entry.twin))) {
    throw new HubRefusal(
      'PreconditionFailed',
      `Precondition failed: Device version did not match, existing ETag is ${twinEtag(entry.twin)}`,
    );
  }
  return entry;
}

function keep(hub: LocalHub, entry: Entry, twin: HubTwin): void {
  checkSizes(entry.twin, twin);
  hub.store.put({ ...entry, twin });
}

/** Only a section that was written is measured: one that is too large already must not block the others. */
function checkSizes(before: HubTwin, after: HubTwin): void {
  if (before.tags !== after.tags) refuse(problemOfSize('tags', after.tags));
  if (before.desired !== after.desired) refuse(problemOfSize('desired', after.desired.values));
  if (before.reported !== after.reported) refuse(problemOfSize('reported', after.reported.values));
}

function notify(hub: LocalHub, address: Address, patch: HubTwinSection): void {
  const link = hub.connections.link(address);
  if (link !== undefined && hub.notifies(address) && link.notifyDesired(patch)) {
    hub.spend(JSON.stringify(patch.values).length);
  }
}

/**
 * The sections in the body of a PATCH, a PUT or an initial twin. `$metadata` and `$version`, which come along
 * when a client sends a twin back, are not the client's to write and are left out. `ofNull` says what a
 * section that is null stands for.
 */
export function readServiceSections(body: JsonObject, ofNull: () => JsonObject | undefined): ServiceSections {
  const properties = ownMember(body, 'properties');
  if (properties !== undefined && properties !== null && !isObject(properties)) {
    throw new HubRefusal('ArgumentInvalid', 'properties is not a JSON object.');
  }
  const tags = readSection('tags', ownMember(body, 'tags'), ofNull);
  const desired = readSection('properties.desired', ownMember(properties, 'desired'), ofNull);
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
