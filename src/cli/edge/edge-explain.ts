import { decideEdge } from '../../edge/edge-decision.ts';
import { settingsOf } from '../../edge/fingerprint.ts';
import { type DeviceManifest, manifestFor, type Provenance, type Source } from '../../edge/manifest-for.ts';
import { renderManifest } from '../../fleet/edge/manifest.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { type EdgeContents, edgeContents, edgeRollouts } from '../../sync/reconcile/edge/edge-contents.ts';
import { type Gate, gateOf } from '../../sync/reconcile/write-gate.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { isoTime } from '../../time/iso-time.ts';
import type { PlannedRollout } from '../../twin/plan/rollout-statuses.ts';
import type { Snapshot } from '../../twin/snapshot/snapshot.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { readFleetFile } from '../shell/files.ts';
import { type Given, JSON_OUTPUT, requiredText, text } from '../shell/inputs.ts';
import { withEarlierContents } from '../shell/previous-contents.ts';
import { printable } from '../shell/printable.ts';
import { fleetInForce, openState, redactionIn } from '../shell/state.ts';
import { say, sayJson, sayTable, shortRevision, type Terminal, tell } from '../shell/terminal.ts';
import { diffLines } from './diff-text.ts';
import { chosenHosts, namedDevice } from './edge-selection.ts';

const INPUTS = {
  '<device>': requiredText('id of the device'),
  '--fleet <file>': text('a fleet file to use in place of the one in force'),
  ...JSON_OUTPUT,
};

/** `berth edge explain`: the manifest of one device, where each part comes from, and what Berth does next. */
export function registerEdgeExplain(edge: CommandGroup): void {
  edge.command({
    name: 'explain',
    description: 'show the manifest of a device and where each module and route comes from',
    inputs: INPUTS,
    example: 'berth edge explain gateway-1',
    changes: false,
    run: explainEdge,
  });
}

async function explainEdge(
  { terminal, env, now }: Cli,
  { device: deviceId, fleet: file, json }: Given<typeof INPUTS>,
): Promise<number> {
  const state = openState(env);
  const control = await state.control.read();
  const fleet =
    file === undefined
      ? await withEarlierContents(state, await fleetInForce(state), control)
      : readFleetFile(file).fleet;
  const redaction = await redactionIn(state, fleet);
  const stored = await namedDevice(state, chosenHosts(fleet, undefined, env), deviceId, redaction);
  const { host, device, agent, hub } = stored;
  tell(terminal, `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`);
  if (device === undefined) {
    say(terminal, `The device twin of ${printable(deviceId)} is not stored, so it has no manifest.`);
    return 0;
  }
  // The rollouts of another file are not known.
  const contents =
    file === undefined
      ? contentsOf({ device, agent }, fleet, gateOf(control, control.newestBuild), now())
      : undefined;
  const explained = manifestFor(device, fleet, contents?.contentOf);
  const { manifest, provenance, problems } = explained;
  const rollouts = contents === undefined ? [] : edgeRollouts(contents);
  const asked = { device, agent, hub, fleet, settings: undefined, redaction, now: now() };
  const decision = decideEdge({ ...asked, ...contents });
  const why = 'why' in decision ? decision.why : '';
  const content = manifest === undefined ? null : renderManifest(manifest, (name) => `setting:${name}`);
  if (json) {
    const settings = manifest === undefined ? [] : settingsOf(manifest);
    const next = { action: decision.kind, why, diff: 'diff' in decision ? decision.diff : null };
    sayJson(terminal, {
      deviceId,
      hub: host,
      revision: fleet.revision,
      provenance,
      problems,
      settings,
      rollouts: rollouts.map(({ until, ...rollout }) => ({ ...rollout, until: isoTime(until) })),
      next,
      manifest: content,
    });
    return 0;
  }
  say(
    terminal,
    `${printable(deviceId)} on ${host}: ${decision.kind}${why === '' ? '' : `: ${printable(why)}`}`,
  );
  sayProvenance(terminal, provenance);
  for (const { policy, stage, gets, why: waits } of rollouts) {
    const of = stage === null ? policy : `${policy}, stage ${stage}`;
    say(terminal, `Rollout of ${of}: ${GETS_TEXT[gets]}${waits === '' ? '' : `, because ${waits}`}.`);
  }
  if (manifest !== undefined) sayParts(terminal, explained, provenance);
  for (const line of 'diff' in decision ? diffLines(decision.diff) : []) say(terminal, `  ${line}`);
  for (const { code, path, message } of problems)
    say(terminal, `${code}: ${printable(`${path} ${message}`)}`);
  if (content !== null) say(terminal, 'The whole manifest, without the values of settings: --json.');
  return 0;
}

const GETS_TEXT: Readonly<Record<PlannedRollout['gets'], string>> = {
  new: 'the device gets the content of the fleet file',
  previous: 'the device keeps the earlier content',
  nothing: 'the device gets nothing of the deployment yet',
  back: 'it was rolled back, so the device gets what it had before',
};

function contentsOf(
  stored: { readonly device: Snapshot; readonly agent: Snapshot | undefined },
  fleet: Fleet,
  gate: Gate,
  now: EpochMs,
): EdgeContents | undefined {
  const hub = fleet.hubByHost.get(stored.device.id.host);
  return hub && edgeContents(stored, { fleet, hub, settings: gate.settingsInForce(fleet), gate, now });
}

function sayProvenance(terminal: Terminal, { deployments, skipped, why }: Provenance): void {
  if (deployments.length > 0) say(terminal, `Deployments, in their order: ${deployments.join(', ')}.`);
  else if (why !== '') say(terminal, `It gets no manifest: ${why}.`);
  for (const { deployment, why: reason } of skipped) {
    say(terminal, `Deployment ${deployment} is skipped, because its condition is unknown: ${reason}.`);
  }
}

function sayParts(terminal: Terminal, { manifest }: DeviceManifest, { modules, routes }: Provenance): void {
  const rows = [
    ...Object.entries(modules).map(([name, source]) => [
      'module',
      name,
      manifest?.modules.get(name)?.image ?? '(removed)',
      sourceText(source),
    ]),
    ...Object.entries(routes).map(([name, source]) => [
      'route',
      name,
      manifest?.routes.get(name)?.route ?? '(removed)',
      sourceText(source),
    ]),
  ];
  sayTable(
    terminal,
    ['part', 'name', 'content', 'from'],
    rows.map((row) => row.map(printable)),
  );
}

function sourceText({ deployment, over, isRemoved }: Source): string {
  const action = isRemoved ? `removed by ${deployment}` : deployment;
  return over.length === 0 ? action : `${action}, over ${over.join(', ')}`;
}
