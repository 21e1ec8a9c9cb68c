import { decideEdge, type EdgeDecision } from '../../edge/edge-decision.ts';
import { BerthError } from '../../errors.ts';
import { compileExpression, type Expression, evaluateCondition } from '../../fleet/expressions/expression.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { edgeDevicesOf, type StoredEdgeDevice } from '../../overview/edge-devices.ts';
import { untilStored } from '../../store/tables/optimistic.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Redaction } from '../../twin/events/redact.ts';
import { twinVariables } from '../../twin/plan/twin-variables.ts';
import { AGENT_MODULE, NO_EDGE_RECORD } from '../../twin/snapshot/runtime-twin.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, reason, text, toggle } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { fleetInForce, openState, redactionIn, type State } from '../shell/state.ts';
import { plural, say, tell } from '../shell/terminal.ts';
import { diffLines } from './diff-text.ts';
import { chosenHosts, namedDevice } from './edge-selection.ts';

const INPUTS = {
  '[device]': text('the device to adopt'),
  '--where <expression>': text('adopt every contested device whose twin matches this CEL condition'),
  '--reason <text>': reason('the reason, stored with the adoption'),
  '--yes': toggle('adopt; without it, the command only shows what would go'),
};

/** `berth edge adopt`: allows Berth to replace manifests that it did not apply. */
export function registerAdopt(edge: CommandGroup): void {
  edge.command({
    name: 'adopt',
    description:
      'allow Berth to replace the manifest of a device that it did not apply; without --yes, show what would go',
    inputs: INPUTS,
    example: 'berth edge adopt gateway-1 --reason "moved from the pipeline" --yes',
    changes: true,
    run: adopt,
  });
}

async function adopt({ terminal, env, now }: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const { device, where, reason: why, yes } = options;
  if ((device === undefined) === (where === undefined))
    throw invalid('Give a device or --where, and not both.');
  const condition = where === undefined ? undefined : readCondition(where);
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const redaction = await redactionIn(state, fleet);
  const hosts = chosenHosts(fleet, undefined, env);
  const author = yes ? await state.author() : '';
  let found = 0;
  for await (const stored of devicesFor(state, hosts, { device, condition }, { fleet, redaction })) {
    const decision = decisionOn(stored, fleet, redaction, now());
    const refusal = whyNotAdopted(stored, decision);
    if (refusal !== undefined || decision?.kind !== 'contested') {
      if (device !== undefined) say(terminal, `${printable(device)}: ${refusal}. Nothing was changed.`);
      continue;
    }
    found += 1;
    say(terminal, `${printable(stored.deviceId)} on ${stored.host}: ${yes ? 'adopted' : 'would be adopted'}`);
    for (const line of diffLines(decision.diff)) say(terminal, `  ${line}`);
    if (yes) await store(state, stored, { author, reason: why, at: now() });
  }
  if (found > 0) {
    const next = yes
      ? 'Within two minutes, Berth applies their manifests.'
      : 'Nothing was changed: add --yes to adopt.';
    tell(terminal, `${plural(found, 'device')}. ${next} State: ${state.place}.`);
  } else if (where !== undefined) tell(terminal, `No contested device matches. State: ${state.place}.`);
  return 0;
}

function readCondition(source: string): Expression {
  const compiled = compileExpression(source, 'twin');
  if (compiled.ok) return compiled.expression;
  throw new BerthError(
    'BERTH_ARGUMENT_INVALID',
    `--where is not a usable CEL expression: ${compiled.problem}`,
  );
}

async function* devicesFor(
  state: State,
  hosts: readonly HostName[],
  { device, condition }: { readonly device: string | undefined; readonly condition: Expression | undefined },
  { fleet, redaction }: { readonly fleet: Fleet; readonly redaction: Redaction },
): AsyncGenerator<StoredEdgeDevice> {
  if (device !== undefined) {
    yield await namedDevice(state, hosts, device, redaction);
    return;
  }
  for await (const stored of edgeDevicesOf(state.twins, hosts, redaction)) {
    const hub = fleet.hubByHost.get(stored.host);
    if (hub === undefined || stored.device === undefined || condition === undefined) continue;
    if (evaluateCondition(condition, twinVariables(stored.device, hub)) === true) yield stored;
  }
}

function decisionOn(
  { device, agent, hub }: StoredEdgeDevice,
  fleet: Fleet,
  redaction: Redaction,
  now: EpochMs,
) {
  if (device === undefined || agent === undefined) return undefined;
  return decideEdge({ device, agent, hub, fleet, settings: undefined, redaction, now });
}

/** Why an adoption would change nothing. Undefined: it would. */
function whyNotAdopted({ agent }: StoredEdgeDevice, decision: EdgeDecision | undefined): string | undefined {
  if (decision === undefined) return 'its twins are not stored yet';
  if (decision.kind !== 'contested') return `needs no adoption (${decision.kind})`;
  const [configuration] = agent?.runtime?.configurations ?? [];
  if (configuration !== undefined) {
    return `cannot be adopted while the hub configuration "${configuration}" targets it. Change its target condition first`;
  }
  return agent?.edge?.applied[0] === undefined
    ? undefined
    : "is already Berth's, and another writer keeps changing it. Stop the other writer";
}

/** Stores the adoption with the snapshot of `$edgeAgent`, and a work item. */
async function store(
  { twins }: State,
  { host, deviceId }: StoredEdgeDevice,
  adoption: { readonly author: string; readonly reason: string; readonly at: EpochMs },
): Promise<void> {
  await untilStored(`The record of ${deviceId}`, async () => {
    const record = await twins.load({ host, deviceId, moduleId: AGENT_MODULE });
    if (record.known.kind !== 'snapshot') return 'gone';
    const { snapshot } = record.known;
    const edge = { ...(snapshot.edge ?? NO_EDGE_RECORD), adoption };
    const workItem = {
      priority: 'edit',
      at: adoption.at,
      why: 'an operator adopted its manifest',
      tries: 0,
    } as const;
    const saved = await twins.save(record, { kind: 'snapshot', snapshot: { ...snapshot, edge, workItem } });
    return saved === 'conflict' ? 'conflict' : 'saved';
  });
}
