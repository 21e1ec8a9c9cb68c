import { isDifference } from '../../connect/dps-plan.ts';
import { readDps, readHub } from '../../connect/read.ts';
import { BerthError } from '../../errors.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { ownMember } from '../../json/json.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT, toggle } from '../shell/inputs.ts';
import { say, sayJson } from '../shell/terminal.ts';
import {
  changeCounts,
  dpsItem,
  hubItem,
  missingHubItem,
  notDeployedItem,
  type PlanItem,
  sayItem,
} from './connect-text.ts';
import { CONNECT_INPUTS, type Connecting, withConnections } from './connection.ts';

const INPUTS = {
  ...CONNECT_INPUTS,
  '--fail-on-changes': toggle('end with exit code 1 if apply would change something'),
  ...JSON_OUTPUT,
};

/** `berth connect plan`: shows what `apply` would change, resource by resource. Writes nothing. */
export function registerConnectPlan(connect: CommandGroup): void {
  connect.command({
    name: 'plan',
    description: 'show what apply would change; writes nothing',
    inputs: INPUTS,
    example: 'berth connect plan --fleet fleet.json',
    isDefault: true,
    changes: false,
    run: planConnections,
  });
}

async function planConnections(cli: Cli, options: Given<typeof INPUTS>): Promise<number> {
  try {
    return await planDeployed(cli, options);
  } catch (error) {
    // Before the first deployment there is nothing to compare, and a plan must not prevent it.
    const isFirst = error instanceof BerthError && error.code === 'BERTH_CONNECTIONS_UNKNOWN';
    if (!isFirst || options.failOnChanges) throw error;
    if (options.json) sayJson(cli.terminal, { resources: [], note: error.message });
    else say(cli.terminal, `Nothing is deployed yet. ${error.message}`);
    return 0;
  }
}

function planDeployed(cli: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const { terminal } = cli;
  return withConnections(cli, { ...options, patienceMs: 0 }, async (connecting) => {
    const items = await planItems(connecting, options.unlink);
    const changes = items.reduce((sum, item) => sum + item.changes.filter(isDifference).length, 0);
    const problems = items.some((item) => item.problems.length > 0);
    if (options.json) sayJson(terminal, { resources: items });
    else {
      for (const item of items) sayItem(terminal, item);
      say(terminal, `${changeCounts(items)}.`);
    }
    return problems || (options.failOnChanges && changes > 0) ? 1 : 0;
  });
}

async function planItems(
  { hubs, notDeployed, dps, session }: Connecting,
  unlink: readonly string[],
): Promise<readonly PlanItem[]> {
  const items: PlanItem[] = [];
  const withoutKeys = new Set<HostName>();
  for (const hub of hubs) {
    const read = await readHub(session, hub);
    items.push(read === undefined ? missingHubItem(hub) : hubItem(hub, read.plan));
    if (ownMember(read?.resource.properties, 'disableLocalAuth') === true) withoutKeys.add(hub.host);
  }
  const read = await readDps(session, dps, unlink, withoutKeys);
  return [...items, ...notDeployed.map(notDeployedItem), dpsItem(dps, read?.plan)];
}
