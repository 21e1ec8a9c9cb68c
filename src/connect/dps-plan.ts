import { isSameId, resourceName } from '../arm/resource-id.ts';
import { checkedHostName, type HostName } from '../iot-hub/host-name.ts';
import { DPS_LINKED_HUBS } from '../iot-hub/throttles.ts';
import { type JsonObject, ownMember } from '../json/json.ts';
import { hasIdentity } from './identity.ts';
import { objectsIn } from './routing.ts';
import type { WantedDps, WantedHub } from './wanted.ts';

/** A link of DPS with a hub. */
export interface Link {
  /** The host name by which DPS knows the hub: the classic or the device name, in lower case. */
  readonly name: string;
  readonly hub: HostName;
  readonly authenticationType: 'KeyBased' | 'SystemAssigned' | 'UserAssigned';
  readonly identityId: string;
  /** The policy of a link by key; undefined if the link does not show one. */
  readonly policy: string | undefined;
}

/** One change of DPS. */
export type DpsChange =
  | { readonly kind: 'addIdentity'; readonly identityId: string }
  | { readonly kind: 'link'; readonly hub: WantedHub }
  /** The link gets the identity in place of a key. */
  | { readonly kind: 'signInByIdentity'; readonly hub: WantedHub; readonly link: Link }
  /** The present key of the hub is written again, because Azure does not show which key DPS has. */
  | { readonly kind: 'refreshKey'; readonly hub: WantedHub; readonly link: Link }
  | { readonly kind: 'unlink'; readonly name: string };

export interface DpsPlan {
  readonly changes: readonly DpsChange[];
  readonly notes: readonly string[];
  readonly problems: readonly string[];
}

/** Whether a change makes DPS differ from what it is. A key that is written again does not. */
export function isDifference({ kind }: { readonly kind: string }): boolean {
  return kind !== 'refreshKey';
}

/**
 * The changes that link DPS with the hubs of the fleet file. A link of another hub stays, unless `unlink` names it.
 *
 * @param dps the resource, as Azure answers it
 * @param unlink host names of links to remove. A name without a link is a note: an earlier run has removed it, or it is a typo.
 * @param withoutKeys hubs whose shared access policies are turned off (`disableLocalAuth`)
 */
export function planDps(
  dps: JsonObject,
  wanted: WantedDps,
  unlink: readonly string[],
  withoutKeys: ReadonlySet<HostName> = new Set(),
): DpsPlan {
  const links = linksOf(dps);
  const removed = unlink.map((name) => name.toLowerCase());
  const kept = links.filter(({ name }) => !removed.includes(name));
  const linkChanges = wanted.hubs.flatMap((hub): readonly DpsChange[] => {
    const own = kept.filter((link) => link.hub === hub.host);
    return own.length === 0 ? [{ kind: 'link', hub }] : own.flatMap((link) => refresh(hub, link, wanted));
  });
  const changes: readonly DpsChange[] = [
    ...identityChanges(dps, wanted),
    ...removed
      .filter((name) => links.some((link) => link.name === name))
      .map((name) => ({ kind: 'unlink', name }) as const),
    ...linkChanges,
  ];
  const added = changes.filter(({ kind }) => kind === 'link').length;
  return {
    changes,
    notes: [
      ...removed.flatMap((name) => goneNotes(name, links)),
      ...kept.flatMap((link) => notesOf(link, wanted)),
    ],
    problems: [
      ...unlinkProblems(removed, links, kept, wanted),
      ...keyProblems(changes, wanted, withoutKeys),
      ...(added > 0 && kept.length + added > DPS_LINKED_HUBS
        ? [
            `DPS has ${kept.length} links, ${added} more are needed, and it takes ${DPS_LINKED_HUBS}: remove links with --unlink HOST, or use another DPS.`,
          ]
        : []),
    ],
  };
}

/** The links of DPS. Older links have no `hostName`, only `name` (Azure/azure-iot-cli-extension#878). */
export function linksOf(dps: JsonObject): readonly Link[] {
  return objectsIn(ownMember(dps.properties, 'iotHubs')).map((link) => {
    const name = linkName(link);
    const type = link.authenticationType;
    return {
      name,
      hub: checkedHostName(name),
      authenticationType: type === 'SystemAssigned' || type === 'UserAssigned' ? type : 'KeyBased',
      identityId: String(link.selectedUserAssignedIdentityResourceId ?? ''),
      policy: /SharedAccessKeyName=([^;]+)/i.exec(String(link.connectionString ?? ''))?.[1],
    };
  });
}

/** The host name of a link, in lower case. */
export function linkName({ name, hostName }: JsonObject): string {
  return String(hostName ?? name ?? '').toLowerCase();
}

function identityChanges(dps: JsonObject, { link }: WantedDps): readonly DpsChange[] {
  if (link.kind === 'keys') return [];
  const { identityId } = link;
  return hasIdentity(dps, { kind: 'userAssigned', identityId }) ? [] : [{ kind: 'addIdentity', identityId }];
}

function refresh(hub: WantedHub, link: Link, { link: wanted }: WantedDps): readonly DpsChange[] {
  if (wanted.kind === 'identity') {
    return link.authenticationType === 'KeyBased' ? [{ kind: 'signInByIdentity', hub, link }] : [];
  }
  return link.authenticationType === 'KeyBased' ? [{ kind: 'refreshKey', hub, link }] : [];
}

function notesOf(link: Link, { link: wanted, hubs }: WantedDps): readonly string[] {
  if (!hubs.some(({ host }) => host === link.hub)) {
    return [
      `DPS is linked with ${link.name}, which the fleet file does not have: the link stays. Run "berth connect apply --unlink ${link.name}" to remove it.`,
    ];
  }
  if (link.authenticationType === 'KeyBased') return [];
  const isOwn =
    wanted.kind === 'identity' &&
    link.authenticationType === 'UserAssigned' &&
    isSameId(link.identityId, wanted.identityId);
  return isOwn
    ? []
    : [
        `The link with ${link.name} signs in with ${link.authenticationType === 'SystemAssigned' ? 'the identity of DPS' : `the identity ${resourceName(link.identityId)}`}: it stays as it is.`,
      ];
}

/** A link that is gone must not fail a run that is repeated. If the name is a typo, the note shows the right ones. */
function goneNotes(name: string, links: readonly Link[]): readonly string[] {
  if (links.some((link) => link.name === name)) return [];
  const names = links.map((link) => link.name).join(', ') || 'no hub';
  return [`--unlink is "${name}": there is no such link, or no longer. DPS is linked with ${names}.`];
}

function unlinkProblems(
  removed: readonly string[],
  links: readonly Link[],
  kept: readonly Link[],
  { hubs }: WantedDps,
): readonly string[] {
  return removed.flatMap((name) => {
    const hub = links.find((each) => each.name === name)?.hub ?? checkedHostName(name);
    const isNeeded = hubs.some(({ host }) => host === hub) && !kept.some((each) => each.hub === hub);
    return isNeeded
      ? [
          `--unlink is "${name}", and the fleet file has this hub, so the next run would link it again: remove the hub from the fleet file first.`,
        ]
      : [];
  });
}

function keyProblems(
  changes: readonly DpsChange[],
  { link }: WantedDps,
  withoutKeys: ReadonlySet<HostName>,
): readonly string[] {
  if (link.kind === 'identity') return [];
  return changes.flatMap((change) =>
    (change.kind === 'link' || change.kind === 'refreshKey') && withoutKeys.has(change.hub.host)
      ? [
          `The hub ${change.hub.host} has its shared access policies turned off (disableLocalAuth), and DPS links by key: deploy with linkAuthentication identity, or turn them on.`,
        ]
      : [],
  );
}

/** A change in one line, for operators. */
export function dpsChangeText(change: DpsChange): string {
  switch (change.kind) {
    case 'addIdentity':
      return `+ the identity ${resourceName(change.identityId)}`;
    case 'link':
      return `+ link with ${change.hub.host}`;
    case 'signInByIdentity':
      return `~ link with ${change.link.name}: DPS signs in with its identity, no longer with a key`;
    case 'refreshKey':
      return `= link with ${change.link.name}: its present key is written again`;
    case 'unlink':
      return `- link with ${change.name}`;
  }
}
