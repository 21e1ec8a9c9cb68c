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

/** One of the two sections of a twin's properties: desired or reported. */
export interface HubTwinSection {
  readonly values: JsonObject;
  readonly metadata: JsonObject;
  readonly version: number;
}

/**
 * A twin. Azure does not document how versions are counted. The rules are inferred from real twins in Microsoft's
 * documentation, tests and issues. The etag counts the writes of services, and the version of a section counts the
 * writes to this section. The version of the twin is `writes + reported.version`.
 */
export interface HubTwin {
  readonly tags: JsonObject;
  readonly desired: HubTwinSection;
  readonly reported: HubTwinSection;
  readonly writes: number;
}

/** The sections that a service writes. An absent section does not change. */
export interface ServiceSections {
  readonly tags?: JsonObject;
  readonly desired?: JsonObject;
}

/** The changes of a write, for events and notifications. */
export interface Applied {
  readonly tags?: JsonObject;
  readonly desired?: HubTwinSection;
  readonly reported?: HubTwinSection;
}

const UNWRITTEN: HubTwinSection = { values: {}, metadata: { $lastUpdated: NO_TICKS }, version: 1 };

/** A new twin, with the sections from the operation that creates it. */
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
 * Applies a PATCH of a service. If the patch has no effect, `applied` is empty, versions do not change, and there is no
 * event or notification. `mark` is set if an automatic configuration writes.
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

/** Applies a PUT of a service: replaces the given sections. `notice` is the patch in the device's notification. */
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

/** Applies a device's PATCH of its reported properties. It does not change the etag. */
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

/** A section in the form for services: with `$metadata` and `$version`. */
export function describeSection({ values, metadata, version }: HubTwinSection): JsonObject {
  return { ...values, $metadata: metadata, $version: version };
}

/** A section in the form for devices: without metadata. */
export function sectionForDevice({ values, version }: HubTwinSection): JsonObject {
  return { ...values, $version: version };
}

/** The mark of an automatic configuration. As in Azure, its digest is a number of .NET ticks. */
export function configurationMark(name: string, at: Ticks): ConfigurationMark {
  return { $lastUpdatedBy: name, $lastUpdatedByDigest: formatTicks(at) };
}

/**
 * The content of the event of an automatic configuration: all desired properties after the write, `null` for removed
 * ones, and metadata only for changed ones (Azure/iot-hub-device-update#461).
 */
export function appliedByConfiguration(before: HubTwin, after: HubTwin, applied: Applied): Applied {
  if (applied.desired === undefined) return applied;
  const values = replacementPatch(before.desired.values, after.desired.values);
  return { ...applied, desired: { ...applied.desired, values } };
}

/**
 * The patch that the portal sends for an edit: all tags and all desired properties after the edit, with `null` for
 * removed ones. So all versions in the section increase, also those of values that were not edited
 * (iot-hub-device-twin-routing-deep-dive, X. Mignot 2021).
 */
export function portalPatch(twin: HubTwin, edit: ServiceSections): ServiceSections {
  return {
    tags: replacementPatch(twin.tags, mergeValues(twin.tags, edit.tags ?? {})),
    desired: replacementPatch(twin.desired.values, mergeValues(twin.desired.values, edit.desired ?? {})),
  };
}
