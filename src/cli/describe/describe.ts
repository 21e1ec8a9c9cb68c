import type { CommandGroup } from '../shell/command-line.ts';
import { JSON_OUTPUT, requiredText, text } from '../shell/inputs.ts';
import { describeDeviceCommand } from './describe-device.ts';
import { describeFleetCommand } from './describe-fleet.ts';
import { describeHubCommand } from './describe-hub.ts';
import { describePolicyCommand } from './describe-policy.ts';

const DEVICE = {
  '<id>': requiredText('the device id'),
  '--registration-id <id>': text(
    'the registration id, if an individual enrollment gives the device another id (default: the device id)',
  ),
  ...JSON_OUTPUT,
};
const HUB = { '<host>': requiredText('any host name of the hub'), ...JSON_OUTPUT };
const POLICY = { '<name>': requiredText('the name of the policy'), ...JSON_OUTPUT };

/** `berth describe`: everything that Berth knows of one thing, with reasons and next steps. */
export function registerDescribe(berth: CommandGroup): void {
  const describe = berth.group(
    'describe',
    'show everything about a device, a hub, a policy or the fleet, with reasons and next steps',
  );
  describe.command({
    name: 'device',
    description: 'show where a device is and why, each property with its status, and its history',
    inputs: DEVICE,
    example: 'berth describe device sim-0003',
    changes: false,
    run: describeDeviceCommand,
  });
  describe.command({
    name: 'fleet',
    description: 'show the whole fleet: hubs, policies, twins by status, and what needs you',
    inputs: JSON_OUTPUT,
    example: 'berth describe fleet',
    changes: false,
    run: describeFleetCommand,
  });
  describe.command({
    name: 'hub',
    description: 'show a hub: its share, its twins by status, its budget, overrides and pauses',
    inputs: HUB,
    example: 'berth describe hub contoso-weu.azure-devices.net',
    changes: false,
    run: describeHubCommand,
  });
  describe.command({
    name: 'policy',
    description: 'show a policy: what it wants, how far its rollout is, and its results by hub',
    inputs: POLICY,
    example: 'berth describe policy battery-saver',
    changes: false,
    run: describePolicyCommand,
  });
}
