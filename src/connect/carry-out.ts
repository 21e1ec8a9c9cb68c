import { createHash } from 'node:crypto';
import { ArmError } from '../arm/port.ts';
import { parseResourceId, resourceName } from '../arm/resource-id.ts';
import { BerthError } from '../errors.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { JsonObject } from '../json/json.ts';
import { AUTHORIZATION_API, DPS_API, HUB_API } from './api-versions.ts';
import type { IsOwn } from './difference.ts';
import { changedDps, type HubPolicy, linkPolicyOf } from './dps-body.ts';
import { type DpsChange, dpsChangeText, isDifference, linkName } from './dps-plan.ts';
import { changedHub } from './hub-body.ts';
import type { HubChange } from './hub-plan.ts';
import { identitiesOf } from './identity.ts';
import { readDps, readHub, SENDER_ROLE } from './read.ts';
import { BERTH_ROUTES, ENDPOINT_NAME } from './routing.ts';
import type { Session } from './session.ts';
import { DPS_TYPE, type WantedDps, type WantedHub } from './wanted.ts';
import { untilDone, writeResource } from './write.ts';

/**
 * Connects a hub: reads, plans and writes until nothing is left. The order is the one that Azure needs: the identity, its
 * role, then endpoint and routes, which may be refused until the role works.
 *
 * @returns the changes that were made
 * @throws ArmError, BerthError `BERTH_CONNECT_REFUSED`, `BERTH_CONNECT_FEATURE_UNKNOWN`,
 *   `BERTH_CONNECT_CHANGED_ELSEWHERE`, `BERTH_CONNECT_UNFINISHED`
 */
export async function connectHub(session: Session, wanted: WantedHub): Promise<readonly HubChange[]> {
  const done: HubChange[] = [];
  let planned: readonly HubChange[] = [];
  let isAssigned = false;
  const attempt = async (): Promise<'done' | 'again'> => {
    const read = await readHub(session, wanted);
    if (read === undefined) throw missing(wanted);
    const { resource: hub, plan } = read;
    if (plan.problems.length > 0) throw refused(wanted.host, plan.problems);
    // A new assignment is listed with a delay.
    planned = plan.changes.filter(({ kind }) => !(isAssigned && kind === 'assignSender'));
    const step = nextStep(planned);
    if (step.length === 0) return 'done';
    if (step.some(({ kind }) => kind === 'assignSender')) {
      await assignSender(session, hub, wanted);
      isAssigned = true;
    } else {
      const body = changedHub(hub, step);
      await writeResource(session, {
        id: wanted.id,
        apiVersion: HUB_API,
        before: hub,
        body,
        isOwn: isOwnOfHub,
      });
    }
    done.push(...step);
    return 'again';
  };
  await untilDone(session, wanted.host, attempt, () => planned.some(isEndpoint));
  return done;
}

/** The identity comes first, because its role needs its id, and the endpoint needs the role. */
function nextStep(changes: readonly HubChange[]): readonly HubChange[] {
  const first = changes.find(({ kind }) => kind === 'addIdentity' || kind === 'assignSender');
  return first === undefined ? changes : [first];
}

function isEndpoint({ kind }: HubChange): boolean {
  return kind === 'addEndpoint' || kind === 'correctEndpoint';
}

/** The entries of a hub that Berth writes. */
const isOwnOfHub: IsOwn = (path, { name }) =>
  (path === 'properties.routing.endpoints.eventHubs' && name === ENDPOINT_NAME) ||
  (path === 'properties.routing.routes' && BERTH_ROUTES.some((route) => route.name === name));

/** Gives the hub's own identity the role to send. If it has the role already, nothing changes. */
async function assignSender({ arm }: Session, hub: JsonObject, { eventHub }: WantedHub): Promise<void> {
  const { principalId } = identitiesOf(hub);
  if (principalId === undefined) return;
  const subscription = parseResourceId(eventHub.id)?.subscription;
  const name = assignmentName(eventHub.id, principalId);
  try {
    await arm.put(
      `${eventHub.id}/providers/Microsoft.Authorization/roleAssignments/${name}`,
      AUTHORIZATION_API,
      {
        properties: {
          roleDefinitionId: `/subscriptions/${subscription}/providers/Microsoft.Authorization/roleDefinitions/${SENDER_ROLE}`,
          principalId,
          principalType: 'ServicePrincipal',
        },
      },
    );
  } catch (error) {
    // RoleAssignmentExists: under another name.
    if (!(error instanceof ArmError && error.status === 409)) throw error;
  }
}

/** The name of an assignment is a GUID. The same scope and principal give the same one, so that it is made once. */
export function assignmentName(scope: string, principalId: string): string {
  const hash = createHash('sha256')
    .update(`${scope}|${principalId}|${SENDER_ROLE}`.toLowerCase())
    .digest('hex');
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `5${hash.slice(13, 16)}`,
    `8${hash.slice(17, 20)}`,
    hash.slice(20, 32),
  ].join('-');
}

/** What was done with DPS. */
export interface ConnectedDps {
  /** The changes that were made. */
  readonly changes: readonly DpsChange[];
  /** What the operator should know of DPS as it was before. */
  readonly notes: readonly string[];
}

/**
 * Links DPS with its hubs. The keys of links are written again at each run, because Azure does not show which key DPS has.
 *
 * @throws ArmError, BerthError as `connectHub`
 */
export async function connectDps(
  session: Session,
  wanted: WantedDps,
  unlink: readonly string[],
  withoutKeys: ReadonlySet<HostName>,
): Promise<ConnectedDps> {
  const done: DpsChange[] = [];
  let notes: readonly string[] | undefined;
  // Changes of a write whose answer, or whose check, failed.
  let uncertain: readonly DpsChange[] = [];
  let remaining = unlink;
  let isFresh = false;
  const attempt = async (): Promise<'done' | 'again'> => {
    const read = await readDps(session, wanted, remaining, withoutKeys);
    if (read === undefined) {
      throw refused(resourceName(wanted.id), [
        `${wanted.id} does not exist: deploy the infrastructure first.`,
      ]);
    }
    const { resource: dps, plan } = read;
    if (plan.problems.length > 0) throw refused(resourceName(wanted.id), plan.problems);
    notes ??= plan.notes;
    done.push(...uncertain.filter((change) => !isPlanned(change, plan.changes)));
    const changes = isFresh ? plan.changes.filter(isDifference) : plan.changes;
    if (changes.length === 0) return 'done';
    const policies =
      wanted.link.kind === 'keys' ? await policiesOf(session, changes) : new Map<HostName, HubPolicy>();
    const body = changedDps(dps, changes, wanted, (hub) => policies.get(hub.host) ?? { name: '', key: '' });
    const own = new Set(wanted.hubs.map(({ host }) => host));
    const added = new Set(
      changes.flatMap((change) => (change.kind === 'link' ? [change.hub.host as string] : [])),
    );
    uncertain = changes;
    await writeResource(session, {
      id: wanted.id,
      apiVersion: DPS_API,
      before: dps,
      body,
      isOwn: (path, item) =>
        path === 'properties.iotHubs' && (added.has(linkName(item)) || isNewLink(item, own)),
    });
    uncertain = [];
    done.push(...changes);
    isFresh = true;
    remaining = [];
    return 'again';
  };
  await untilDone(session, resourceName(wanted.id), attempt, () => wanted.link.kind === 'identity');
  return { changes: done, notes: notes ?? [] };
}

function isPlanned(change: DpsChange, planned: readonly DpsChange[]): boolean {
  return planned.some((each) => dpsChangeText(each) === dpsChangeText(change));
}

/** A link that Berth sent has no name yet: Azure computes it. */
function isNewLink(item: JsonObject, own: ReadonlySet<HostName>): boolean {
  const host = /HostName=([^;]+)/i.exec(String(item.connectionString ?? ''))?.[1]?.toLowerCase();
  return linkName(item) === '' && own.has(host as HostName);
}

/** The keys with which DPS signs in, by hub. They are secrets. */
async function policiesOf(
  { arm }: Session,
  changes: readonly DpsChange[],
): Promise<ReadonlyMap<HostName, HubPolicy>> {
  const policies = new Map<HostName, HubPolicy>();
  for (const change of changes) {
    if (change.kind !== 'link' && change.kind !== 'refreshKey') continue;
    const { host, id } = change.hub;
    const present = change.kind === 'refreshKey' ? change.link.policy : undefined;
    const policy = linkPolicyOf(await arm.post(`${id}/listkeys`, HUB_API), present);
    if (policy === undefined) {
      throw refused(host, [
        `The hub ${host} has no shared access policy with RegistryWrite and ServiceConnect, with which ${DPS_TYPE} signs in: add one, or deploy with linkAuthentication identity.`,
      ]);
    }
    policies.set(host, policy);
  }
  return policies;
}

function missing({ host, id, isManaged }: WantedHub): BerthError {
  return refused(host, [
    isManaged
      ? `${id} does not exist: deploy the infrastructure first. If the hub exists elsewhere, write hubs[].azure.`
      : `${id} does not exist: correct hubs[].azure of the fleet file, or check that this sign-in may read it.`,
  ]);
}

function refused(name: string, problems: readonly string[]): BerthError {
  return new BerthError('BERTH_CONNECT_REFUSED', `${name} cannot be connected: ${problems.join(' ')}`);
}
