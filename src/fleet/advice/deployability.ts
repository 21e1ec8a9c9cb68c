import type { ErrorDetail } from '../../errors.ts';
import { parseHubName, shortName } from '../../iot-hub/host-name.ts';
import {
  DPS_LINKED_HUBS,
  DPS_REGISTRATIONS,
  FREE_HUBS_OF_A_SUBSCRIPTION,
  MAX_UNITS,
} from '../../iot-hub/throttles.ts';
import { type JsonValue, ownMember } from '../../json/json.ts';
import { readFileText } from '../file/file-text.ts';
import { pathText } from '../file/problems.ts';
import type { Fleet } from '../fleet.ts';
import type { HubFile } from '../schema.ts';

/**
 * What Azure, or the templates in `infra/`, would refuse of a fleet file that is valid for Berth. `infra/checks.bicep`
 * refuses the same before it creates a resource. Sources: Microsoft, "Naming rules and restrictions for Azure resources",
 * "Use tags to organize your Azure resources", "Azure subscription and service limits".
 *
 * @param dps number of DPS instances that share the hubs
 */
export function deploymentProblems({ file: { hubs } }: Fleet, dps: number): readonly ErrorDetail[] {
  return [
    ...tooManyHubs(hubs, dps),
    ...hubs.flatMap((hub, index) => [
      ...hostProblems(hub, ['hubs', index, 'host']),
      ...sizeProblems(hub, ['hubs', index, 'units']),
      ...stampProblems(hub, ['hubs', index, 'stamp']),
      // Only hubs that the templates create get their labels as tags.
      ...(hub.azure === undefined ? labelProblems(hub.labels, ['hubs', index, 'labels']) : []),
    ]),
    ...cloudProblems(hubs),
    ...freeHubProblems(hubs),
    ...missingStamps(hubs),
  ];
}

/**
 * What Azure accepts and will still cause trouble: capacities that are together larger than what DPS can hold. Only
 * capacities that the file contains count, because the default is the limit of one hub.
 *
 * @param text the fleet file
 */
export function deploymentWarnings(text: string, dps: number): readonly ErrorDetail[] {
  const read = readFileText(text);
  const hubs = read.ok ? ownMember(read.json, 'hubs') : undefined;
  const sum = (Array.isArray(hubs) ? hubs : []).reduce((total, hub) => total + capacityOf(hub), 0);
  if (sum <= DPS_REGISTRATIONS * dps) return [];
  return [
    {
      path: 'hubs',
      message: `has room for ${sum} devices by its capacities, and ${dps === 1 ? 'one DPS holds' : `${dps} DPS instances hold`} at most ${DPS_REGISTRATIONS * dps} registrations: lower the capacities, or use more DPS instances and say so with --dps`,
    },
  ];
}

function capacityOf(hub: JsonValue): number {
  const capacity = ownMember(hub, 'capacity');
  return typeof capacity === 'number' ? capacity : 0;
}

type Path = readonly PropertyKey[];

const detail = (path: Path, message: string): ErrorDetail => ({ path: pathText(path), message });

function tooManyHubs({ length }: readonly HubFile[], dps: number): readonly ErrorDetail[] {
  if (length <= DPS_LINKED_HUBS * dps) return [];
  return [
    detail(
      ['hubs'],
      `has ${length} hubs, and ${dps === 1 ? 'one DPS links' : `${dps} DPS instances link`} at most ${DPS_LINKED_HUBS * dps}: split the fleet into deployments, or use more DPS instances and say so with --dps`,
    ),
  ];
}

/** 3 to 50 letters, digits and hyphens. The parser of host names has checked the characters. */
function hostProblems({ host }: HubFile, path: Path): readonly ErrorDetail[] {
  const name = parseHubName(host);
  if (name === undefined) return [];
  if (name.kind === 'other') {
    return [detail(path, `is "${host}", which is not an IoT hub of Azure: write NAME.azure-devices.net`)];
  }
  const { length } = shortName(name.host);
  if (length >= 3 && length <= 50) return [];
  return [detail(path, `has a name of ${length} characters, "${shortName(name.host)}": Azure takes 3 to 50`)];
}

/** One DPS links the hubs of its own cloud. */
function cloudProblems(hubs: readonly HubFile[]): readonly ErrorDetail[] {
  const clouds = hubs.flatMap(({ host }) => {
    const name = parseHubName(host);
    return name === undefined || name.kind === 'other' ? [] : [name.host.slice(name.host.indexOf('.') + 1)];
  });
  const distinct = [...new Set(clouds)];
  if (distinct.length < 2) return [];
  return [
    detail(
      ['hubs'],
      `has hubs in different clouds (${distinct.join(', ')}): write a fleet file for each cloud`,
    ),
  ];
}

function sizeProblems({ tier, units }: HubFile, path: Path): readonly ErrorDetail[] {
  const most = MAX_UNITS[tier];
  if (units <= most) return [];
  return [
    detail(
      path,
      `is ${units}, and ${tier} has ${most === 1 ? 'one unit' : `at most ${most} units`}: write ${most === 1 ? '1, or tier S1' : 'fewer, or add a hub'}`,
    ),
  ];
}

/** Hubs without `azure` are in the subscription of the deployment, which the file does not name. */
function freeHubProblems(hubs: readonly HubFile[]): readonly ErrorDetail[] {
  const free = new Map<string, readonly number[]>();
  for (const [index, { tier, azure }] of hubs.entries()) {
    if (tier !== 'F1') continue;
    const subscription = azure?.subscription.toLowerCase() ?? '';
    free.set(subscription, [...(free.get(subscription) ?? []), index]);
  }
  return [...free.values()].flatMap((indexes) =>
    indexes
      .slice(FREE_HUBS_OF_A_SUBSCRIPTION)
      .map((index) =>
        detail(
          ['hubs', index, 'tier'],
          `is F1 as that of hubs[${indexes[0]}] is, and a subscription has one free hub: ${hubs[index]?.azure === undefined ? 'write S1' : 'correct the tier or hubs[].azure'}`,
        ),
      ),
  );
}

/** Stamps name resources, and `allocator` is the stamp of apps that only allocate. */
function stampProblems({ stamp }: HubFile, path: Path): readonly ErrorDetail[] {
  if (stamp === undefined) return [];
  if (stamp === 'allocator') {
    return [
      detail(path, 'is "allocator", which is the stamp of apps that only allocate: write another name'),
    ];
  }
  if (/^[a-z0-9]{1,12}$/.test(stamp)) return [];
  return [
    detail(
      path,
      `is "${stamp}", and names of resources contain it: write 1 to 12 lower-case letters and digits`,
    ),
  ];
}

function missingStamps(hubs: readonly HubFile[]): readonly ErrorDetail[] {
  const named = hubs.find(({ stamp }) => stamp !== undefined)?.stamp;
  if (named === undefined) return [];
  return hubs.flatMap(({ stamp }, index) =>
    stamp === undefined
      ? [
          detail(
            ['hubs', index, 'stamp'],
            `is missing, and other hubs have one ("${named}"), so no deployment would reconcile this hub: write a stamp`,
          ),
        ]
      : [],
  );
}

/** `infra/` adds the tag `azd-env-name`. */
const OWN_TAG = 'azd-env-name';
const MOST_TAGS = 50;

/** Labels become tags of the hub. Azure ignores the case of tag names. */
function labelProblems(labels: HubFile['labels'], path: Path): readonly ErrorDetail[] {
  const names = Object.keys(labels);
  const taken = new Set([OWN_TAG]);
  const problems = Object.entries(labels).flatMap(([name, value]) => {
    const isTaken = taken.has(name.toLowerCase());
    taken.add(name.toLowerCase());
    return labelProblem(name, value, isTaken).map((message) => detail([...path, name], message));
  });
  return names.length >= MOST_TAGS
    ? [
        ...problems,
        detail(
          path,
          `has ${names.length} labels, which become tags: Azure takes ${MOST_TAGS} with ${OWN_TAG}`,
        ),
      ]
    : problems;
}

function labelProblem(name: string, value: string, isTaken: boolean): readonly string[] {
  return [
    ...(/^[^<>%&\\?/]{1,512}$/.test(name) && name.trim() !== ''
      ? []
      : ['cannot be the name of a tag: write 1 to 512 characters without < > % & \\ ? and /']),
    ...(/^(microsoft|azure|windows)/i.test(name)
      ? ['begins with a word that Azure keeps for its own tags: write another name']
      : []),
    ...(isTaken
      ? ['is the name of another tag of the hub, because Azure ignores the case: write another name']
      : []),
    ...(value.length > 256 ? [`has a value of ${value.length} characters: a tag takes at most 256`] : []),
  ];
}
