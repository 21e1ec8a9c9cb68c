import { HUB_STATES } from '../../fleet/hub-state.ts';
import { STATUS_FILTERS } from '../../twin/snapshot/snapshot.ts';
import { DEPLOYMENT_LIST, showDeployments } from '../edge/deployment-list.ts';
import { HUB_LIST, showHubs } from '../hubs/hubs.ts';
import { POLICY_LIST, showPolicies } from '../policies/policies.ts';
import { readChoice } from '../shell/arguments.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { oneOf, optional, text } from '../shell/inputs.ts';
import { LIST_INPUTS } from '../shell/listing.ts';
import { showAttention, showDevices } from './devices.ts';

const status = oneOf(
  STATUS_FILTERS,
  optional(`only twins with this status: ${STATUS_FILTERS.join(', ')}`, (given, { name }) =>
    readChoice(name, given, STATUS_FILTERS),
  ),
);
const hub = text('only this hub, by any of its host names');

const DEVICES = {
  '--hub <host>': hub,
  '--status <status>': status,
  '--policy <name>': text('only twins in which this policy owns a property'),
  ...LIST_INPUTS,
};

const ATTENTION = { '--hub <host>': hub, '--status <status>': status, ...LIST_INPUTS };

const HUBS = {
  '--hub <host>': hub,
  '--status <state>': oneOf(
    HUB_STATES,
    optional(`only hubs in this state: ${HUB_STATES.join(', ')}`, (given, { name }) =>
      readChoice(name, given, HUB_STATES),
    ),
  ),
  ...HUB_LIST,
};

const POLICIES = {
  '--hub <host>': text('count only the twins of this hub'),
  '--policy <name>': text('only this policy'),
  ...POLICY_LIST,
};

const DEPLOYMENTS = { '--hub <host>': text('count only the devices of this hub'), ...DEPLOYMENT_LIST };

/** `berth get`: lists devices, hubs, policies, deployments, and twins that need a person. */
export function registerGet(berth: CommandGroup): void {
  const get = berth.group('get', 'list devices, hubs, policies, deployments, or the twins that need you');
  get.command({
    name: 'devices',
    description: 'list the twins in the state tables with hub, status and reason',
    inputs: DEVICES,
    example: 'berth get devices --hub contoso-weu.azure-devices.net --status drifted',
    changes: false,
    run: showDevices,
  });
  get.command({
    name: 'hubs',
    description: 'list the hubs; "berth hubs" is the short form',
    inputs: HUBS,
    example: 'berth get hubs --status draining --watch',
    changes: false,
    run: showHubs,
  });
  get.command({
    name: 'policies',
    description: 'list the policies; "berth policies" is the short form',
    inputs: POLICIES,
    example: 'berth get policies --watch',
    changes: false,
    run: showPolicies,
  });
  get.command({
    name: 'deployments',
    description: 'list the deployments of IoT Edge with their devices by status',
    inputs: DEPLOYMENTS,
    example: 'berth get deployments --watch',
    changes: false,
    run: showDeployments,
  });
  get.command({
    name: 'attention',
    description: 'list the twins that may need you, with status and reason',
    inputs: ATTENTION,
    example: 'berth get attention --status rejected',
    changes: false,
    run: showAttention,
  });
}
