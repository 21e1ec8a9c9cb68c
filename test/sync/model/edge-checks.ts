import { contentOf } from '../../../src/control/rollouts.ts';
import { withSecrets } from '../../../src/edge/fingerprint.ts';
import { manifestFor } from '../../../src/edge/manifest-for.ts';
import { settingContents } from '../../../src/edge/setting-contents.ts';
import type { EdgeDeployment } from '../../../src/fleet/edge/edge.ts';
import { RESYNC_PART, ratePerSecond, SYNC_PART } from '../../../src/hub/budget.ts';
import { isObject, type JsonObject, type JsonValue, sameJson } from '../../../src/json/json.ts';
import { edgeContents } from '../../../src/sync/reconcile/edge/edge-contents.ts';
import { gateOf } from '../../../src/sync/reconcile/write-gate.ts';
import { type EpochMs, plus } from '../../../src/time/epoch-ms.ts';
import type { Snapshot } from '../../../src/twin/snapshot/snapshot.ts';
import type { EdgeDevice, EdgeSimulation } from './edge-simulation.ts';

const MINUTE = 60_000;
/** The clocks of two instances differ by at most this, and a control row is used for half a minute. */
const SLACK_MS = 5 * MINUTE;

/** No manifest is applied twice without need, and none of another writer is replaced without an adoption. */
export function checkManifests({ hub, devices }: EdgeSimulation): readonly string[] {
  return hub.applies.flatMap(({ deviceId, isNeedless, before }, index) => {
    const problems = isNeedless ? [`${deviceId} got the manifest again that it had`] : [];
    const device = devices.find(({ id }) => id.deviceId === deviceId);
    const isFirst = !hub.applies.slice(0, index).some((each) => each.deviceId === deviceId);
    if (isFirst && isOther(before.$edgeAgent) && device?.wasAdopted !== true) {
      problems.push(
        `${deviceId} had the manifest of another writer, and Berth replaced it without an adoption`,
      );
    }
    return problems;
  });
}

function isOther(agent: JsonValue | undefined): boolean {
  return JSON.stringify(agent ?? {}).includes('other:');
}

/** No more applies than the budget grants. An instance that dies loses what it knows of its part, and a new one may begin with a burst. */
export function checkBudget({ hub, scheduler }: EdgeSimulation, openedShares: number): readonly string[] {
  const [first] = hub.applies;
  if (first === undefined) return [];
  const seconds = (scheduler.now - first.at) / 1_000;
  const perSecond = ratePerSecond(hub.hub, 'apply', SYNC_PART + RESYNC_PART);
  const most = Math.ceil(seconds * perSecond) + openedShares * Math.max(1, perSecond * 60);
  return hub.applies.length <= most
    ? []
    : [`${hub.applies.length} applies in ${seconds} s; the budget is ${most}`];
}

/** The values of settings are in no row and in no line of the log. */
export function checkSecrets(
  { secrets, store }: EdgeSimulation,
  warnings: readonly string[],
): readonly string[] {
  const places = [
    ['the tables', store.text],
    ['the log', warnings.join('\n')],
  ] as const;
  return places.flatMap(([place, text]) =>
    secrets.filter((secret) => text.includes(secret)).map((secret) => `${secret} is in ${place}`),
  );
}

/** No device got a content that no stage and no rollback gave it. */
export function checkStages(simulation: EdgeSimulation, device: EdgeDevice): readonly string[] {
  const applied = agentOf(simulation, device)?.edge?.applied ?? [];
  return applied.flatMap(({ contents = [], at }, index) => {
    const earlier = applied.slice(index + 1).flatMap((each) => each.contents ?? []);
    return contents
      .filter((id) => !earlier.includes(id))
      .flatMap((id) =>
        isReached(simulation, device, id, at)
          ? []
          : [`${device.id.deviceId} got content ${id} before its stage`],
      );
  });
}

function isReached(simulation: EdgeSimulation, device: EdgeDevice, id: string, at: EpochMs): boolean {
  const { store, fleets } = simulation;
  const deployments = fleets.flatMap(({ edge }) => edge?.deployments ?? []);
  const own = deployments.find((each) => each.id === id);
  // The values of settings come with every manifest.
  if (own === undefined) return true;
  const named = deployments.filter(({ name }) => name === own.name);
  return store.controls.some(({ at: from, control }, index) => {
    const until = store.controls[index + 1]?.at;
    if (from > plus(at, SLACK_MS) || (until !== undefined && until < plus(at, -SLACK_MS))) return false;
    return [-SLACK_MS, 0, SLACK_MS].some((ms) =>
      named.some((deployment) =>
        [true, false].some((isLab) => contentAt(deployment, isLab, plus(at, ms))?.id === id),
      ),
    );

    function contentAt(deployment: EdgeDeployment, isLab: boolean, now: EpochMs): EdgeDeployment | undefined {
      const { host, deviceId } = device.id;
      const asked = {
        host,
        deviceId,
        matches: () => isLab,
        timeZone: () => 'UTC',
        hasContent: () => false,
        wasReached: () => false,
      };
      const known = new Map(deployments.map((each) => [each.hash, each]));
      const choice = contentOf(control, deployment, asked, known, now);
      if (choice.kind === 'new') return deployment;
      return choice.kind === 'nothing' ? undefined : choice.policy;
    }
  });
}

/** At the end, a device has the manifest that the fleet file implies, or a status with a reason that fits. */
export function checkDevice(simulation: EdgeSimulation, device: EdgeDevice): readonly string[] {
  const { hub, store, scheduler, settings, redaction } = simulation;
  const name = device.id.deviceId;
  const fleet = simulation.withPrevious(simulation.fleet);
  const twin = hub.twin(device.id);
  const agentTwin = hub.twin({ ...device.id, moduleId: '$edgeAgent' });
  const hubTwin = hub.twin({ ...device.id, moduleId: '$edgeHub' });
  if (twin === undefined || agentTwin === undefined || hubTwin === undefined) {
    return store.known(device.id).kind === 'snapshot' ? [`${name} was deleted, and Berth does not know`] : [];
  }
  const known = store.known(device.id);
  const agent = agentOf(simulation, device);
  if (known.kind !== 'snapshot' || agent === undefined)
    return [`${name} is there, and Berth does not know it`];
  const { status, why } = agent.lastReconcile;
  const problems: string[] = [];
  if (agent.unread !== undefined) problems.push(`${name} is still unread: ${agent.unread.why}`);
  if (agent.workItem !== undefined && agent.workItem.at < scheduler.now)
    problems.push(`${name} is still due: ${agent.workItem.why}`);
  const isConfigured = Object.keys(agentTwin.configurations ?? {}).length > 0;
  const values = (setting: string) => settings[setting];
  const gate = gateOf(store.control, '9999');
  const contents = edgeContents(
    { device: known.snapshot, agent },
    {
      fleet,
      hub: hub.hub,
      settings: settingContents(fleet.edge, values, redaction.key),
      gate,
      now: scheduler.now,
    },
  );
  const { manifest } = manifestFor({ ...known.snapshot, tags: twin.tags }, fleet, contents.contentOf);
  if (manifest === undefined) return problems;
  if (agent.edge?.intent !== undefined && status !== 'contested')
    problems.push(`${name} has an apply without a result`);
  if (isConfigured) {
    return /the hub configuration .* targets the device/.test(why)
      ? problems
      : [...problems, `${name} has a hub configuration, and is ${status}: ${why}`];
  }
  if (status === 'contested') {
    const isOthers = why.includes('a manifest that Berth did not apply');
    // An apply may reach a device that was created again meanwhile, and its record goes with the deletion.
    const { recreatedAt } = device;
    const isOvertaken =
      recreatedAt !== undefined &&
      hub.applies.some(
        ({ deviceId, at }) => deviceId === name && at >= recreatedAt && at < plus(recreatedAt, SLACK_MS),
      );
    if (isOthers && (device.isAdopted || !isOther(agentTwin.desired.values)) && !isOvertaken)
      problems.push(`${name} is contested: ${why}`);
    if (!isOthers) problems.push(`${name} is still contested: ${why}`);
    return problems;
  }
  const wanted = withSecrets(manifest, values) as JsonObject;
  const isHeld = contents.holdOfValues() !== undefined;
  const present = { $edgeAgent: agentTwin.desired.values, $edgeHub: hubTwin.desired.values };
  for (const module of ['$edgeAgent', '$edgeHub'] as const) {
    const content = ((wanted.modulesContent as JsonObject)[module] as JsonObject)[
      'properties.desired'
    ] as JsonObject;
    const [one, other] = isHeld
      ? [withoutSecrets(simulation, present[module]), withoutSecrets(simulation, content)]
      : [present[module], content];
    if (!sameJson(one, other)) {
      problems.push(
        `${name}: ${module} is ${JSON.stringify(one)}, wanted ${JSON.stringify(other)} (${status}: ${why})`,
      );
    }
  }
  if (['runs', 'slow'].includes(device.behaviour) && status !== 'inSync')
    problems.push(`${name} runs everything, and is ${status}: ${why}`);
  return problems;
}

/** The JSON with one text in the place of all values that settings had. */
function withoutSecrets({ secrets }: EdgeSimulation, json: JsonValue): JsonValue {
  if (typeof json === 'string') return secrets.includes(json) ? '(secret)' : json;
  if (Array.isArray(json))
    return json.map((item: JsonValue) => withoutSecrets({ secrets } as EdgeSimulation, item));
  if (!isObject(json)) return json;
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [key, withoutSecrets({ secrets } as EdgeSimulation, value)]),
  );
}

function agentOf({ store }: EdgeSimulation, { id }: EdgeDevice): Snapshot | undefined {
  const known = store.known({ ...id, moduleId: '$edgeAgent' });
  return known.kind === 'snapshot' ? known.snapshot : undefined;
}
