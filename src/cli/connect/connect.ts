import type { CommandGroup } from '../shell/command-line.ts';
import { registerConnectApply } from './connect-apply.ts';
import { registerConnectPlan } from './connect-plan.ts';

/** `berth connect`: commands for what hubs and DPS need so that Berth works with them. */
export function registerConnect(berth: CommandGroup): void {
  const connect = berth.group(
    'connect',
    'connect hubs and DPS with a deployment: routes, links, sizes; needs AZURE_SUBSCRIPTION_ID and AZURE_RESOURCE_GROUP',
  );
  registerConnectPlan(connect);
  registerConnectApply(connect);
}
