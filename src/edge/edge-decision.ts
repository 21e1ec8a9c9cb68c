import type { EdgeDeployment } from '../fleet/edge/edge.ts';
import type { FilledManifest } from '../fleet/edge/manifest.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Hold } from '../rollout/content-choice.ts';
import { type EpochMs, plus } from '../time/epoch-ms.ts';
import type { Instant } from '../time/instant.ts';
import type { Redaction } from '../twin/redaction/redact-values.ts';
import { type AppliedManifest, type EdgeRecord, NO_EDGE_RECORD } from '../twin/snapshot/runtime-twin.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';
import {
  changeBetween,
  fingerprintOf,
  keyName,
  type ManifestFingerprint,
  missingSettings,
  type SettingValues,
} from './fingerprint.ts';
import { hubBehindSince } from './hub-behind.ts';
import { mayComeFrom } from './interrupted-apply.ts';
import { diffManifest, isSameManifest, type ManifestDiff, type PresentManifest } from './manifest-diff.ts';
import { type DeviceManifest, type ManifestProblem, manifestFor } from './manifest-for.ts';
import { modulesChanged } from './module-drift.ts';
import { hasPresentValues } from './present-values.ts';

/** What decides about one IoT Edge device. */
export interface EdgeInput {
  /** Its device twin. */
  readonly device: Pick<Snapshot, 'id' | 'tags' | 'desired' | 'reported' | 'isEdge'>;
  /** Undefined: not stored yet. */
  readonly agent: Snapshot | undefined;
  readonly hub: Snapshot | undefined;
  /** The stored twins of its modules whose desired properties deployments set, by name. Default: none is stored. */
  readonly modules?: ReadonlyMap<string, Snapshot>;
  readonly fleet: Pick<Fleet, 'edge' | 'twins' | 'hubByHost' | 'revision'>;
  /** Undefined: the values are not known here. */
  readonly settings: SettingValues | undefined;
  readonly redaction: Redaction;
  /** What the device gets of a deployment while rollouts run. Default: the content of the fleet file. */
  readonly contentOf?: (deployment: EdgeDeployment) => EdgeDeployment | undefined;
  /** The deployments that the device has an earlier content of, because their rollout was rolled back. Default: none. */
  readonly rolledBack?: readonly string[];
  /** Why an apply only for changed values of settings must wait. Default: it need not. */
  readonly holdOfValues?: (() => Hold | undefined) | undefined;
  readonly now: EpochMs;
}

/** Why a manifest is applied. */
export type ApplyCause = 'first' | 'content' | 'secrets' | 'drift';

/** What Berth does with one IoT Edge device. */
export type EdgeDecision =
  /** Berth leaves it alone: no IoT Edge device, or no deployment matches it. */
  | { readonly kind: 'none'; readonly why: string; readonly manifest: DeviceManifest | undefined }
  /**
   * Twins must be read first: those that are unread. `hubSince`: `$edgeHub` is not marked yet, and must be read as it is at this time
   * or later.
   */
  | { readonly kind: 'read'; readonly why: string; readonly hubSince?: Instant }
  /** A problem stops the manifest. */
  | {
      readonly kind: 'stopped';
      readonly problems: readonly ManifestProblem[];
      readonly manifest: DeviceManifest;
    }
  /** Another writer owns the manifest. `until` is undefined: until an operator acts. */
  | {
      readonly kind: 'contested';
      readonly why: string;
      readonly until: EpochMs | undefined;
      readonly diff: ManifestDiff;
      readonly manifest: DeviceManifest;
    }
  | {
      readonly kind: 'apply';
      readonly cause: ApplyCause;
      readonly why: string;
      readonly filled: FilledManifest;
      readonly fingerprint: ManifestFingerprint;
      readonly diff: ManifestDiff;
      readonly manifest: DeviceManifest;
    }
  /**
   * The hub has what is wanted. `isUnrecorded`: Berth has no record of it, because it was lost. `waits`: the values of
   * settings have changed, and their rollout has not reached the device.
   */
  | {
      readonly kind: 'inPlace';
      readonly filled: FilledManifest;
      readonly fingerprint: ManifestFingerprint;
      readonly isUnrecorded: boolean;
      readonly waits?: Hold | undefined;
      readonly manifest: DeviceManifest;
    };

/**
 * What to do with one IoT Edge device. Pure; test/edge/edge-decision.test.ts is the specification.
 *
 * Berth's first apply needs an empty manifest, or an adoption by an operator. After that, a change by another writer is drift:
 * it is put back at most `fight.writes` times within `fight.within`, then it is contested for `fight.pause`.
 */
export function decideEdge(input: EdgeInput): EdgeDecision {
  const { device, agent, hub, fleet, redaction, settings } = input;
  if (fleet.edge === undefined) return none('the fleet file has no edge');
  if (device.isEdge === false) return none('it is no IoT Edge device');
  if (device.isEdge === undefined && agent === undefined)
    return none('it is not known to be an IoT Edge device');
  const manifest = manifestFor(device, fleet, input.contentOf);
  const { manifest: filled, problems, provenance } = manifest;
  const stopping = problems.filter(({ stops }) => stops);
  if (stopping.length > 0) return { kind: 'stopped', problems: stopping, manifest };
  if (filled === undefined) return none(provenance.why, manifest);
  if (agent === undefined) return { kind: 'read', why: 'its $edgeAgent is not stored yet' };
  if (agent.unread !== undefined) return { kind: 'read', why: agent.unread.why };
  if (hub?.unread !== undefined) return { kind: 'read', why: `its $edgeHub must be read: ${hub.unread.why}` };
  const hubSince = hubBehindSince(agent, hub, input.now);
  if (hubSince !== undefined)
    return { kind: 'read', why: 'its $edgeHub may be older than its manifest', hubSince };
  const missing = settings === undefined ? [] : missingSettings(filled, settings);
  if (missing.length > 0) return { kind: 'stopped', problems: missing.map(settingMissing), manifest };
  const present: PresentManifest = { agent: agent.desired, hub: hub?.desired };
  const hidden = hasOtherKey(agent, redaction) ? { ...redaction, key: undefined } : redaction;
  return decideByPresent(input, agent, {
    filled,
    manifest,
    fingerprint: fingerprintOf(filled, settings, redaction.key),
    hasValues: hasPresentValues(agent.desired, filled, settings, hidden),
    diff: diffManifest(present, filled, hidden),
    changed: modulesChanged(filled, input.modules ?? new Map(), agent, hidden),
  });
}

/** Whether the hidden values of the stored twin have hashes of another key, so that they cannot be compared. */
function hasOtherKey({ edge }: Snapshot, { key }: Redaction): boolean {
  const last = edge?.applied[0]?.key;
  return last !== undefined && key !== undefined && last !== keyName(key);
}

interface Wanted {
  readonly filled: FilledManifest;
  readonly manifest: DeviceManifest;
  readonly fingerprint: ManifestFingerprint;
  /** Whether the hub has the present values of settings. Undefined: that is not known. */
  readonly hasValues: boolean | undefined;
  readonly diff: ManifestDiff;
  /** The modules whose desired properties another writer has changed. */
  readonly changed: readonly string[];
}

function decideByPresent(
  { fleet, now, holdOfValues, rolledBack = [] }: EdgeInput,
  agent: Snapshot,
  wanted: Wanted,
): EdgeDecision {
  const { diff, fingerprint, filled, manifest, hasValues, changed } = wanted;
  const contested = (why: string, until?: EpochMs): EdgeDecision => ({
    kind: 'contested',
    why,
    until,
    diff,
    manifest,
  });
  const apply = (cause: ApplyCause, why: string): EdgeDecision => ({
    kind: 'apply',
    cause,
    why,
    filled,
    fingerprint,
    diff,
    manifest,
  });
  const [configuration] = agent.runtime?.configurations ?? [];
  if (configuration !== undefined) {
    return contested(
      `the hub configuration "${configuration}" targets the device and would overwrite each apply`,
    );
  }
  const record = agent.edge ?? NO_EDGE_RECORD;
  const { refused } = record;
  if (refused?.content === fingerprint.content && refused.secrets === fingerprint.secrets) {
    return { kind: 'stopped', problems: [manifestRefused(refused.why)], manifest };
  }
  const [last] = record.applied;
  const isInPlace = isSameManifest(diff);
  // The hub may have the content of an apply without a result. It cannot be compared any more.
  const isInterrupted =
    record.intent !== undefined &&
    record.intent.content !== fingerprint.content &&
    mayComeFrom(record.intent, agent);
  if (isInPlace && hasValues !== false && record.intent?.content === fingerprint.content) {
    // The apply arrived, and its result was lost.
    return { kind: 'inPlace', filled, fingerprint, manifest, isUnrecorded: true };
  }
  if (Object.keys(agent.desired).length === 0) {
    return apply(
      last === undefined ? 'first' : 'drift',
      last === undefined ? 'it has no manifest yet' : 'its manifest is gone',
    );
  }
  if (last === undefined) {
    if (isInPlace) {
      const held = hasValues === false ? holdOfValues?.() : undefined;
      if (hasValues === false && held === undefined)
        return apply('secrets', 'it has other values of its settings');
      const found = hasValues === false ? { ...fingerprint, secrets: undefined } : fingerprint;
      return { kind: 'inPlace', filled, fingerprint: found, manifest, isUnrecorded: true, waits: held };
    }
    if (isInterrupted) return apply('content', 'an apply was interrupted');
    if (record.adoption !== undefined)
      return apply('first', `adopted by ${record.adoption.author}: ${record.adoption.reason}`);
    const gone = diff.modules.filter(({ kind }) => kind === 'removed').map(({ name }) => name);
    return contested(
      `it has a manifest that Berth did not apply${gone.length === 0 ? '' : `; ${gone.join(', ')} would go`}. Run "berth edge adopt ${agent.id.deviceId}"`,
    );
  }
  const change = changeBetween(fingerprintIn(last), fingerprint);
  if (change === 'content') return apply('content', contentWhy(last, manifest, rolledBack, fleet));
  // That is no change by another writer.
  if (!isInPlace && isInterrupted) return apply('content', 'an apply was interrupted');
  if (!isInPlace || (change === 'none' && hasValues === false))
    return putBack(record, fleet, now, 'its manifest', { contested, apply });
  if (changed.length > 0)
    return putBack(record, fleet, now, `the desired properties of ${changed.join(', ')}`, {
      contested,
      apply,
    });
  // Another instance has applied them, and its result was lost.
  if (change === 'secrets' && hasValues === true)
    return { kind: 'inPlace', filled, fingerprint, manifest, isUnrecorded: true };
  const waits = change === 'secrets' ? holdOfValues?.() : undefined;
  return change === 'secrets' && waits === undefined
    ? apply('secrets', 'the value of a setting has changed')
    : { kind: 'inPlace', filled, fingerprint, manifest, isUnrecorded: false, waits };
}

/** Another writer has changed what Berth applied. */
function putBack(
  { putBack: times }: EdgeRecord,
  { twins: { fight } }: EdgeInput['fleet'],
  now: EpochMs,
  what: string,
  {
    contested,
    apply,
  }: {
    readonly contested: (why: string, until?: EpochMs) => EdgeDecision;
    readonly apply: (cause: ApplyCause, why: string) => EdgeDecision;
  },
): EdgeDecision {
  const recent = times.filter((at) => at > plus(now, -Math.max(fight.withinMs, fight.pauseMs)));
  const [newest] = recent;
  const inARow = newest === undefined ? [] : recent.filter((at) => at > plus(newest, -fight.withinMs));
  const until = newest === undefined ? undefined : plus(newest, fight.pauseMs);
  if (inARow.length >= fight.writes && until !== undefined && now < until) {
    return contested(`another writer has changed ${what} ${inARow.length + 1} times`, until);
  }
  return apply('drift', `another writer has changed ${what}`);
}

function none(why: string, manifest?: DeviceManifest): EdgeDecision {
  return { kind: 'none', why, manifest };
}

function manifestRefused(why: string): ManifestProblem {
  const message = `was refused by the hub: ${why}. Correct the deployments of the device`;
  return { code: 'BERTH_EDGE_MANIFEST_REFUSED', stops: true, path: 'edge', message };
}

function settingMissing(name: string): ManifestProblem {
  return {
    code: 'BERTH_EDGE_SETTING_MISSING',
    stops: true,
    path: 'edge',
    message: `needs the app setting ${name}, which is not set: declare it in appSettings of the deployment, for a secret as a Key Vault reference`,
  };
}

function fingerprintIn({ content, secrets, key }: AppliedManifest): ManifestFingerprint {
  return { content, secrets, key };
}

/** A rollback explains an apply if the last one brought another content of the deployment. */
function contentWhy(
  { revision, contents = [] }: AppliedManifest,
  { provenance }: DeviceManifest,
  rolledBack: readonly string[],
  fleet: EdgeInput['fleet'],
): string {
  const back = rolledBack.filter((name) => {
    const id = provenance.contents[provenance.deployments.indexOf(name)];
    return id === undefined || !contents.includes(id);
  });
  if (back.length > 0) return `the rollout of ${back.join(' and ')} was rolled back`;
  return revision === fleet.revision
    ? 'the device matches other deployments, or a value has changed'
    : 'the fleet file has changed';
}
