import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Fleet, Models } from '../../src/fleet/fleet.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { epochMs, plus } from '../../src/time/epoch-ms.ts';
import { type Instant, instantOf } from '../../src/time/instant.ts';
import type { TwinEvent } from '../../src/twin/events/event.ts';
import { type Snapshot, unreadSnapshot } from '../../src/twin/snapshot/snapshot.ts';
import type { Twin, TwinId } from '../../src/twin/snapshot/twin.ts';

export const ID: TwinId = {
  host: hostName('weu.azure-devices.net'),
  deviceId: 'pump-1',
  moduleId: undefined,
};
/** The start of every test's time, ms since the epoch. */
export const T0 = epochMs(Date.UTC(2026, 10, 23, 12));
/** The hub's time so many seconds after the start. */
export const at = (seconds: number): Instant => instantOf(plus(T0, seconds * 1_000));

export interface TwinParts {
  readonly version?: number;
  readonly etag?: string;
  readonly modelId?: string;
  readonly tags?: JsonObject;
  readonly desired?: JsonObject;
  readonly reported?: JsonObject;
  readonly desiredVersion?: number;
  readonly reportedVersion?: number;
  readonly desiredMetadata?: JsonObject;
  readonly lastUpdated?: Instant;
}

export function twinOf(parts: TwinParts = {}): Twin {
  return {
    version: parts.version ?? 2,
    etag: parts.etag ?? 'AAAAAAAAAAE=',
    modelId: parts.modelId,
    tags: parts.tags ?? {},
    desired: {
      values: parts.desired ?? {},
      version: parts.desiredVersion ?? 1,
      metadata: parts.desiredMetadata ?? {},
    },
    reported: { values: parts.reported ?? {}, version: parts.reportedVersion ?? 1, metadata: {} },
    lastUpdated: parts.lastUpdated ?? at(0),
  };
}

export function snapshotOf(parts: Partial<Snapshot> = {}): Snapshot {
  return {
    ...unreadSnapshot(ID, at(0), ''),
    version: 2,
    desiredVersion: 1,
    reportedVersion: 1,
    etag: 'AAAAAAAAAAE=',
    unread: undefined,
    ...parts,
  };
}

/** An event in which the device reports, as the twin's next change unless said otherwise. */
export function reports(snapshot: Snapshot, seconds: number, values: JsonObject, skip = 0): TwinEvent {
  return {
    kind: 'update',
    id: ID,
    time: at(seconds),
    change: {
      version: snapshot.version + 1 + skip,
      tags: undefined,
      desired: undefined,
      reported: { values, version: snapshot.reportedVersion + 1 + skip, metadata: {} },
    },
  };
}

/** An event in which a service writes desired properties. */
export function writes(snapshot: Snapshot, seconds: number, values: JsonObject): TwinEvent {
  return {
    kind: 'update',
    id: ID,
    time: at(seconds),
    change: {
      version: snapshot.version + 1,
      tags: undefined,
      desired: { values, version: snapshot.desiredVersion + 1, metadata: {} },
      reported: undefined,
    },
  };
}

export function fleetOf(twins: object, models: Models = {}): Fleet {
  const parsed = parseFleet(
    JSON.stringify({
      hubs: [{ host: ID.host, region: 'westeurope', tier: 'S1', labels: { site: 'ams' } }],
      twins,
    }),
    models,
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
}
