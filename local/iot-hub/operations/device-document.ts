import type { JsonObject } from '../../../src/json/json.ts';
import type { Presence } from '../hub/connections.ts';
import type { Entry } from '../hub/device-store.ts';
import type { AppliedConfiguration } from '../model/entry.ts';
import type { Authentication, Identity } from '../model/identity.ts';
import { describeSection, twinEtag, twinVersion } from '../model/twin.ts';

/** A twin in the form of the service API. */
export function twinDocument(
  { identity, twin, modelId, configurations, inbox = [] }: Entry,
  presence: Presence,
): JsonObject {
  const { deviceId, moduleId } = identity;
  return {
    deviceId,
    ...(moduleId !== undefined && { moduleId }),
    etag: twinEtag(twin),
    deviceEtag: identity.etag,
    status: identity.status,
    ...(identity.statusReason !== null && { statusReason: identity.statusReason }),
    statusUpdateTime: identity.statusUpdatedTime,
    connectionState: presence.connectionState,
    lastActivityTime: presence.lastActivityTime,
    cloudToDeviceMessageCount: inbox.length,
    authenticationType: identity.authentication.type,
    x509Thumbprint: thumbprintsOf(identity.authentication),
    ...(modelId !== undefined && { modelId }),
    version: twinVersion(twin),
    tags: twin.tags,
    properties: { desired: describeSection(twin.desired), reported: describeSection(twin.reported) },
    ...(moduleId === undefined && { capabilities: { ...identity.capabilities } }),
    ...(configurations !== undefined && { configurations: statusesOf(configurations) }),
    ...scopes(identity),
  };
}

function statusesOf(configurations: Readonly<Record<string, AppliedConfiguration>>): JsonObject {
  return Object.fromEntries(Object.entries(configurations).map(([id, { status }]) => [id, { status }]));
}

/**
 * An identity in the form of the service API, with its keys: its callers have full access to the registry. The identity
 * of a module has no status and no capabilities.
 */
export function identityDocument({ identity, inbox = [] }: Entry, presence: Presence): JsonObject {
  const { deviceId, moduleId, authentication } = identity;
  const isDevice = moduleId === undefined;
  return {
    ...(!isDevice && { moduleId, managedBy: identity.managedBy ?? null }),
    deviceId,
    generationId: identity.generationId,
    etag: identity.etag,
    connectionState: presence.connectionState,
    ...(isDevice && { status: identity.status, statusReason: identity.statusReason }),
    connectionStateUpdatedTime: presence.connectionStateUpdatedTime,
    ...(isDevice && { statusUpdatedTime: identity.statusUpdatedTime }),
    lastActivityTime: presence.lastActivityTime,
    cloudToDeviceMessageCount: inbox.length,
    authentication: {
      symmetricKey:
        authentication.type === 'sas'
          ? { ...authentication.symmetricKey }
          : { primaryKey: null, secondaryKey: null },
      x509Thumbprint: thumbprintsOf(authentication),
      type: authentication.type,
    },
    ...(isDevice && { capabilities: { ...identity.capabilities } }),
    ...scopes(identity),
  };
}

function scopes({ deviceScope, parentScopes }: Identity): JsonObject {
  return {
    ...(deviceScope !== undefined && { deviceScope }),
    ...(parentScopes !== undefined && { parentScopes }),
  };
}

function thumbprintsOf(authentication: Authentication): JsonObject {
  if (authentication.type !== 'selfSigned') return { primaryThumbprint: null, secondaryThumbprint: null };
  return { ...authentication.x509Thumbprint };
}
