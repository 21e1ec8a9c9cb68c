import { resourceName } from '../../arm/resource-id.ts';
import { connectDps, connectHub } from '../../connect/carry-out.ts';
import { dpsChangeText } from '../../connect/dps-plan.ts';
import { hubChangeText } from '../../connect/hub-plan.ts';
import { readHub } from '../../connect/read.ts';
import { BerthError } from '../../errors.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { ownMember } from '../../json/json.ts';
import { parseDuration } from '../../time/duration.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT, optional } from '../shell/inputs.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { type PlanItem, sayItem } from './connect-text.ts';
import { CONNECT_INPUTS, type Connecting, withConnections } from './connection.ts';

/** A new role takes minutes until it works (azure-docs, role-based-access-control/troubleshooting). */
const PATIENCE = '10m';

const INPUTS = {
  ...CONNECT_INPUTS,
  '--wait <duration>': optional(
    `how long to try again while Azure refuses, such as until a new role works (default: ${PATIENCE})`,
    (given = PATIENCE, { name }) => {
      const patienceMs = parseDuration(given);
      if (patienceMs === undefined) throw invalid(`${name} is "${given}": write a duration such as 10m.`);
      return patienceMs;
    },
  ),
  ...JSON_OUTPUT,
};

/** `berth connect apply`: changes hubs and DPS. Everything that is not Berth's stays as it is. */
export function registerConnectApply(connect: CommandGroup): void {
  connect.command({
    name: 'apply',
    description: 'add what is missing of routes and links, and resize the hubs that infra/ created',
    inputs: INPUTS,
    example: 'berth connect apply --unlink old-hub.azure-devices.net',
    changes: true,
    run: applyConnections,
  });
}

async function applyConnections(cli: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const { terminal } = cli;
  return withConnections(cli, { ...options, patienceMs: options.wait }, async (connecting) => {
    requireDeployed(connecting);
    const items: PlanItem[] = [];
    const show = (item: PlanItem) => {
      items.push(item);
      if (!options.json) sayItem(terminal, item);
    };
    try {
      await apply(connecting, options.unlink, show);
    } catch (error) {
      // What was done so far. The error is then a line on the error output, as always after a result.
      if (options.json && items.length > 0) sayJson(terminal, { resources: items });
      throw error;
    }
    if (options.json) sayJson(terminal, { resources: items });
    else say(terminal, 'Hubs and DPS are connected.');
    return 0;
  });
}

/** Hubs come first: a link sends devices to a hub at once. */
async function apply(
  { hubs, dps, session }: Connecting,
  unlink: readonly string[],
  show: (item: PlanItem) => void,
): Promise<void> {
  const withoutKeys = new Set<HostName>();
  for (const hub of hubs) {
    const changes = await connectHub(session, hub);
    const read = await readHub(session, hub);
    if (ownMember(read?.resource.properties, 'disableLocalAuth') === true) withoutKeys.add(hub.host);
    show({
      name: hub.host,
      kind: hub.isManaged ? 'managed hub' : 'existing hub',
      changes: changes.map((change) => ({ kind: change.kind, text: hubChangeText(change) })),
      notes: read?.plan.notes ?? [],
      problems: [],
    });
  }
  const { changes, notes } = await connectDps(session, dps, unlink, withoutKeys);
  show({
    name: resourceName(dps.id),
    kind: 'DPS',
    changes: changes.map((change) => ({ kind: change.kind, text: dpsChangeText(change) })),
    notes,
    problems: [],
  });
}

function requireDeployed({ notDeployed }: Connecting): void {
  const [first] = notDeployed;
  if (first === undefined) return;
  throw new BerthError('BERTH_CONNECT_REFUSED', `The hub ${first.host} ${first.why}.`, {
    details: notDeployed.map(({ host, why }) => ({ path: host, message: why })),
  });
}
