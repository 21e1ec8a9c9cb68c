import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT, requiredText } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { fleetInForce, openState, redactionIn } from '../shell/state.ts';
import { moment, say, sayJson, sayTable, shortRevision, tell } from '../shell/terminal.ts';
import { chosenHosts, namedDevice } from './edge-selection.ts';

const INPUTS = { '<device>': requiredText('id of the device'), ...JSON_OUTPUT };

/** `berth edge history`: the manifests that Berth applied to one device. */
export function registerEdgeHistory(edge: CommandGroup): void {
  edge.command({
    name: 'history',
    description: 'show the last manifests that Berth applied to a device, when and why',
    inputs: INPUTS,
    example: 'berth edge history gateway-1',
    changes: false,
    run: edgeHistory,
  });
}

async function edgeHistory(
  { terminal, env }: Cli,
  { device: deviceId, json }: Given<typeof INPUTS>,
): Promise<number> {
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const redaction = await redactionIn(state, fleet);
  const { host, agent } = await namedDevice(state, chosenHosts(fleet, undefined, env), deviceId, redaction);
  const { applied = [], adoption, putBack = [], refused } = agent?.edge ?? {};
  tell(terminal, `State: ${state.place}.`);
  if (json) {
    sayJson(terminal, {
      deviceId,
      hub: host,
      applied: applied.map(({ content, at, revision, why, deployments, version }) => ({
        at: new Date(at).toISOString(),
        why,
        deployments,
        revision,
        content,
        version: version ?? null,
      })),
      putBack: putBack.map((at) => new Date(at).toISOString()),
      adoption: adoption === undefined ? null : { ...adoption, at: new Date(adoption.at).toISOString() },
      refused: refused?.why ?? null,
    });
    return 0;
  }
  if (applied.length === 0) say(terminal, `Berth has applied no manifest to ${printable(deviceId)}.`);
  else {
    sayTable(
      terminal,
      ['applied', 'why', 'deployments', 'fleet file', 'content'],
      applied.map(({ at, why, deployments, revision, content }) => [
        moment(at),
        printable(why),
        deployments.join(', '),
        shortRevision(revision),
        shortRevision(content),
      ]),
    );
  }
  if (adoption !== undefined) {
    say(
      terminal,
      `Adopted ${moment(adoption.at)} by ${printable(adoption.author)}: ${printable(adoption.reason)}.`,
    );
  }
  if (putBack.length > 0)
    say(terminal, `Changes by others were put back at ${putBack.map(moment).join(', ')}.`);
  if (refused !== undefined) say(terminal, `The hub refused the last manifest: ${printable(refused.why)}.`);
  return 0;
}
