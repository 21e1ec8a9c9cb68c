import type { DeviceStatus } from '../api/contract.ts';
import { manifestFor } from '../edge/manifest-for.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import { edgeContents, edgeRollouts } from '../sync/reconcile/edge/edge-contents.ts';
import { deviceState } from '../sync/reconcile/edge/edge-statuses.ts';
import type { Gate } from '../sync/reconcile/write-gate.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { isoTime } from '../time/iso-time.ts';
import type { PlannedRollout } from '../twin/plan/rollout-statuses.ts';
import { AGENT_MODULE, HUB_MODULE } from '../twin/snapshot/runtime-twin.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';

type EdgeStatusOfTwin = NonNullable<DeviceStatus['twins'][number]['edge']>;

/**
 * How an IoT Edge device and its modules stand, for its `$edgeAgent`, and what it gets of rollouts. Undefined: the twin is another one, the fleet file has
 * no deployments, or the device twin is not stored.
 *
 * @param snapshots the twins of the device on the same hub
 */
export function describeEdge(
  agent: Snapshot,
  snapshots: readonly Snapshot[],
  fleet: Fleet,
  { hub, gate, now }: { readonly hub: Hub; readonly gate: Gate; readonly now: EpochMs },
): { readonly edge: EdgeStatusOfTwin; readonly rollouts: readonly PlannedRollout[] } | undefined {
  const device = snapshots.find(({ id }) => id.moduleId === undefined);
  if (fleet.edge === undefined || agent.id.moduleId !== AGENT_MODULE || device === undefined)
    return undefined;
  const contents = edgeContents(
    { device, agent },
    { fleet, hub, settings: gate.settingsInForce(fleet), gate, now },
  );
  const rollouts = edgeRollouts(contents);
  const { manifest, provenance, problems } = manifestFor(device, fleet, contents.contentOf);
  const [last] = agent.edge?.applied ?? [];
  const about = {
    deployments: [...provenance.deployments],
    problems: problems.map(({ code, path, message }) => ({ code, path, message })),
    applied: last === undefined ? null : { at: isoTime(last.at), why: last.why, revision: last.revision },
  };
  if (manifest === undefined) {
    const waits = rollouts.find(({ gets }) => gets === 'nothing');
    const why =
      waits === undefined
        ? provenance.why || 'a problem stops its manifest'
        : `waits for the rollout of ${waits.policy}: ${waits.why}`;
    const edge: EdgeStatusOfTwin = {
      ...about,
      status: 'pending',
      isInSync: false,
      why,
      modules: [],
      leftovers: [],
    };
    return { edge, rollouts };
  }
  const runtime = snapshots.find(({ id }) => id.moduleId === HUB_MODULE);
  const { status, isInSync, why, modules, leftovers } = deviceState(agent, runtime, manifest, now);
  const edge: EdgeStatusOfTwin = {
    ...about,
    status,
    isInSync,
    why,
    modules: modules.map(
      ({ image = null, exitCode = null, startedAt = null, exitedAt = null, ...module }) => ({
        ...module,
        image,
        exitCode,
        startedAt,
        exitedAt,
      }),
    ),
    leftovers: [...leftovers],
  };
  return { edge, rollouts };
}
