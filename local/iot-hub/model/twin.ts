import type { JsonObject } from '../../../src/json/json.ts';
import { formatInstant, formatTicks, NO_TICKS, type Ticks } from './instant.ts';
import {
  type ConfigurationMark,
  effectivePatch,
  mergeMetadata,
  mergeValues,
  metadataOf,
  replacementPatch,
  type Stamp,
  withoutNulls,
} from './merge.ts';

/** One of the two halves of a twin's properties. */
export interface HubTwinSection {
  readonly values: JsonObject;
  readonly metadata: JsonObject;
  readonly version: number;
}

/**
 * A twin. How its versions are counted is not documented; it is inferred from real twins in Microsoft's
 * documentation, tests and issues: the etag counts the writes of the service side, a section's version the
 * writes to that section, and the twin's version is `writes + reported.version`.
 */
export interface HubTwin {
  readonly tags: JsonObject;
  readonly desired: HubTwinSection;
  readonly reported: HubTwinSection;
  readonly writes: number;
}

/** What the service side writes; an absent section is left alone. */
export interface ServiceSections {
  readonly tags?: JsonObject;
  readonly desired?: JsonObject;
}

/** What a write changed, as events and notifications tell it. */
export interface Applied {
  readonly tags?: JsonObject;
  readonly desired?: HubTwinSection;
  readonly reported?: HubTwinSection;
}

const UNWRITTEN: HubTwinSection = { values: {}, metadata: { $lastUpdated: NO_TICKS }, version: 1 };

/** A twin as it is born, with the sections it is given in the same operation. */
export function createTwin(at: Ticks, initial: ServiceSections & { reported?: JsonObject } = {}): HubTwin {
  return {
    tags: withoutNulls(initial.tags ?? {}),
    desired: bornSection(initial.desired ?? {}, { ...stampOf(at), $lastUpdatedVersion: 1 }, 1),
    // A migrated twin reports in its new hub at version 2 (azure-iot-sdk-csharp ReprovisioningE2ETests).
    reported: bornSection(initial.reported ?? {}, stampOf(at), 2),
    writes: 1,
  };
}

function bornSection(values: JsonObject, stamp: Stamp, version: number): HubTwinSection {
  const kept = withoutNulls(values);
  if (Object.keys(kept).length === 0) return UNWRITTEN;
  return { values: kept, metadata: mergeMetadata({}, kept, stamp), version };
}

export function twinVersion(twin: HubTwin): number {
  return twin.writes + twin.reported.version;
}

/** Base64 of the big-endian 64-bit count of service-side writes. @example 'AAAAAAAAAAE=' */
export function twinEtag(twin: HubTwin): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(twin.writes));
  return bytes.toString('base64');
}

/**
 * The service's PATCH. `applied` is empty if the patch has no effect: then nothing is counted up and nobody
 * is told. `mark`: an automatic configuration writes it.
 */
export function patchTwin(
  twin: HubTwin,
  patch: ServiceSections,
  at: Ticks,
  mark?: ConfigurationMark,
): { twin: HubTwin; applied: Applied } {
  const tags = effective(twin.tags, patch.tags);
  const values = effective(twin.desired.values, patch.desired);
  if (tags === undefined && values === undefined) return { twin, applied: {} };
  const desired = values && patchSection(twin.desired, values, at, { versioned: true, mark });
  return {
    twin: {
      tags: tags === undefined ? twin.tags : mergeValues(twin.tags, tags),
      desired: desired?.section ?? twin.desired,
      reported: twin.reported,
      writes: twin.writes + 1,
    },
    applied: { ...(tags && { tags }), ...(desired && { desired: desired.applied }) },
  };
}

function effective(current: JsonObject, patch: JsonObject | undefined): JsonObject | undefined {
  const part = effectivePatch(current, patch ?? {});
  return Object.keys(part).length === 0 ? undefined : part;
}

/** The service's PUT: the given sections are replaced. `notice` is the patch of which the device is told. */
export function replaceTwin(
  twin: HubTwin,
  next: ServiceSections,
  at: Ticks,
): { twin: HubTwin; notice: HubTwinSection | undefined } {
  const { desired } = next;
  const section = desired && replacedSection(twin.desired, withoutNulls(desired), at);
  return {
    twin: {
      tags: next.tags === undefined ? twin.tags : withoutNulls(next.tags),
      desired: section ?? twin.desired,
      reported: twin.reported,
      writes: twin.writes + 1,
    },
    notice: section && { ...section, values: replacementPatch(twin.desired.values, section.values) },
  };
}

function replacedSection(section: HubTwinSection, values: JsonObject, at: Ticks): HubTwinSection {
  const version = section.version + 1;
  const stamp = { ...stampOf(at), $lastUpdatedVersion: version };
  return { values, metadata: mergeMetadata({}, values, stamp), version };
}

/** The device's PATCH of its reported properties. It leaves the etag alone. */
export function reportTwin(
  twin: HubTwin,
  patch: JsonObject,
  at: Ticks,
): { twin: HubTwin; applied: HubTwinSection } {
  const { section, applied } = patchSection(twin.reported, patch, at, { versioned: false });
  return { twin: { ...twin, reported: section }, applied };
}

function patchSection(
  section: HubTwinSection,
  patch: JsonObject,
  at: Ticks,
  { versioned, mark }: { versioned: boolean; mark?: ConfigurationMark | undefined },
): { section: HubTwinSection; applied: HubTwinSection } {
  const version = section.version + 1;
  const stamp = { ...stampOf(at), ...(versioned && { $lastUpdatedVersion: version }) };
  const metadata = mergeMetadata(section.metadata, patch, stamp, mark);
  return {
    section: { values: mergeValues(section.values, patch), metadata, version },
    applied: { values: patch, metadata: metadataOf(patch, metadata), version },
  };
}

function stampOf(at: Ticks): Stamp {
  return { $lastUpdated: formatInstant(at) };
}

/** A section with `$metadata` and `$version`, as the service side sees it. */
export function describeSection({ values, metadata, version }: HubTwinSection): JsonObject {
  return { ...values, $metadata: metadata, $version: version };
}

/** A section as a device sees it: without metadata. */
export function sectionForDevice({ values, version }: HubTwinSection): JsonObject {
  return { ...values, $version: version };
}

/** The mark of the automatic configuration of that name; the digest of real ones is a count of .NET ticks. */
export function configurationMark(name: string, at: Ticks): ConfigurationMark {
  return { $lastUpdatedBy: name, $lastUpdatedByDigest: formatTicks(at) };
}

/**
 * What the event of an automatic configuration tells: all desired properties as they are after it, and `null` for
 * what it removes; metadata only for what it changed (Azure/iot-hub-device-update#461).
 */
export function appliedByConfiguration(before: HubTwin, after: HubTwin, applied: Applied): Applied {
  if (applied.desired === undefined) return applied;
  const values = replacementPatch(before.desired.values, after.desired.values);
  return { ...applied, desired: { ...applied.desired, values } };
}

/**
 * The patch that the portal sends for an edit: all tags and all desired properties as they are after it, with
 * `null` for what it removes. Every version in the section goes up, whatever was edited
 * (iot-hub-device-twin-routing-deep-dive, X. Mignot 2021).
 */
export function portalPatch(twin: HubTwin, edit: ServiceSections): ServiceSections {
  return {
    tags: replacementPatch(twin.tags, mergeValues(twin.tags, edit.tags ?? {})),
    desired: replacementPatch(twin.desired.values, mergeValues(twin.desired.values, edit.desired ?? {})),
  };
}
