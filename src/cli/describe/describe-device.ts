import type { DeviceMoment, DeviceStatus } from '../../api/contract.ts';
import { historyOfDevice } from '../../overview/device-history.ts';
import { describeStatus } from '../../overview/device-status.ts';
import { readStoredDevice, type StoredDevice } from '../../overview/stored-device.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { sayReceipt } from '../devices/receipt-text.ts';
import type { Cli } from '../shell/cli.ts';
import { bold, statusText } from '../shell/colors.ts';
import { withEarlierContents } from '../shell/previous-contents.ts';
import { printable } from '../shell/printable.ts';
import { twinReasonText } from '../shell/reason.ts';
import { fleetInForce, openState, redactionIn } from '../shell/state.ts';
import {
  count,
  say,
  sayJson,
  sayTable,
  shortRevision,
  span,
  type Terminal,
  tell,
} from '../shell/terminal.ts';
import { type Fact, sayFacts, sayTitle, shortJson } from './facts.ts';

/** Lines of the history that are shown; `--json` has all. */
const MOST_MOMENTS = 20;

interface DeviceOptions {
  readonly id: string;
  readonly registrationId: string | undefined;
  readonly json: boolean;
}

/** The answer of `GET /api/devices/{id}`, with the history. */
interface DeviceWithHistory extends DeviceStatus {
  readonly receipts: StoredDevice['receipts'];
  readonly history: readonly DeviceMoment[];
}

/** `berth describe device` */
export async function describeDeviceCommand(
  { terminal, env, now }: Cli,
  { id, registrationId, json }: DeviceOptions,
): Promise<number> {
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const redaction = await redactionIn(state, fleet);
  const withPrevious = await withEarlierContents(state, fleet, await state.control.read());
  const stored = await readStoredDevice(
    { stores: state, fleet: withPrevious, redaction },
    id,
    registrationId,
  );
  const device: DeviceWithHistory = {
    ...describeStatus(id, stored, now()),
    receipts: stored.receipts,
    history: historyOfDevice(stored),
  };
  tell(terminal, `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`);
  if (json) sayJson(terminal, device);
  else sayDevice(terminal, device, now());
  return 0;
}

function sayDevice(terminal: Terminal, device: DeviceWithHistory, now: EpochMs): void {
  const { deviceId, twins, receipts, history } = device;
  const own = twins.filter(({ moduleId }) => moduleId === null);
  const [receipt] = receipts;
  say(terminal, bold(terminal, `Device ${printable(deviceId)}`));
  sayFacts(terminal, [
    ['hub', own.map(({ hub }) => hub).join(', ') || (twins[0]?.hub ?? 'none')],
    ['decided', receipt === undefined ? 'no registration is stored' : decidedText(receipt, now)],
    ['modules', twins.flatMap(({ moduleId }) => (moduleId === null ? [] : [printable(moduleId)])).join(', ')],
  ]);
  for (const twin of twins) sayTwin(terminal, twin, now);
  if (twins.length === 0) {
    say(terminal);
    say(terminal, 'Berth has no twin of this device: no hub of the fleet file has sent an event of it.');
  }
  if (receipt !== undefined) {
    sayTitle(
      terminal,
      receipt.result.kind === 'assigned'
        ? 'Why it is there (last registration)'
        : 'Why it was refused (last registration)',
    );
    sayReceipt(terminal, receipt);
  }
  sayTitle(terminal, 'History');
  for (const moment of history.slice(0, MOST_MOMENTS)) say(terminal, `  ${momentText(moment)}`);
  const more = history.length - MOST_MOMENTS;
  if (more > 0) say(terminal, `  and ${count(more)} more, with --json`);
}

function decidedText({ at, revision }: DeviceWithHistory['receipts'][number], now: EpochMs): string {
  return `${at} (${span(now - Date.parse(at))} ago), with revision ${shortRevision(revision)}`;
}

function sayTwin(terminal: Terminal, twin: DeviceStatus['twins'][number], now: EpochMs): void {
  const {
    hub,
    moduleId,
    status,
    since,
    why,
    next,
    modelId,
    tags,
    workItem,
    suspended,
    unread,
    paths,
    parent,
    moveRequest,
  } = twin;
  const title = moduleId === null ? `Twin on ${hub}` : `Module ${printable(moduleId)} on ${hub}`;
  sayTitle(terminal, `${title}: ${statusText(terminal, status)}`);
  const facts: readonly Fact[] = [
    ['reason', printable(twinReasonText(why))],
    [
      'since',
      since === null || Date.parse(since) === 0 ? '' : `${since} (${span(now - Date.parse(since))} ago)`,
    ],
    ['next', printable(next)],
    [
      'work item',
      workItem === null
        ? ''
        : `${workItem.priority}: ${printable(twinReasonText(workItem.why))}, tried ${workItem.tries} times`,
    ],
    ['suspended', suspended === null ? '' : printable(suspended.why)],
    ['unread', unread === null ? '' : printable(unread.why)],
    ['model', modelId ?? ''],
    ['tags', printable(shortJson(tags, 200))],
    ['parent', parent === null ? '' : printable(parentText(parent))],
    ['move', moveRequest === null ? '' : moveRequestText(moveRequest, now)],
  ];
  sayFacts(terminal, facts);
  for (const rollout of twin.rollouts) say(terminal, `  ${printable(rolloutText(rollout))}`);
  if (twin.edge !== undefined) {
    sayEdge(terminal, twin.edge, now);
    return;
  }
  if (paths.length === 0) {
    say(terminal, '  No policy owns a property of it.');
    return;
  }
  say(terminal);
  sayTable(
    terminal,
    ['property', 'desired', 'wanted', 'reported', 'status', 'policy', 'reason'],
    paths.map((property) => [
      printable(property.path),
      valueText(property.desired),
      valueText(property.wanted),
      valueText(property.reported),
      statusText(terminal, property.status),
      `${property.policy}${property.mode === 'enforce' ? '' : ` (${property.mode})`}`,
      printable([property.why, property.held].filter(Boolean).join('; ')),
    ]),
  );
  for (const { path, rejected, contestedUntil, configuration, nextAt } of paths) {
    const lines = [
      ...rejected.map(({ value, why: reason }) => `rejected ${valueText(value)}: ${printable(reason)}`),
      ...(contestedUntil === null ? [] : [`left alone until ${contestedUntil}`]),
      ...(configuration === null ? [] : [`set by the configuration ${printable(configuration)}`]),
      ...(nextAt === null ? [] : [`looked at again at ${nextAt}`]),
    ];
    for (const line of lines) say(terminal, `  ${printable(path)}: ${line}`);
  }
}

/** `asked 5 min ago to leave contoso-weu.azure-devices.net` */
function moveRequestText(
  { leaves, state, askedAt, asksAt }: NonNullable<DeviceStatus['twins'][number]['moveRequest']>,
  now: EpochMs,
): string {
  if (state === 'waiting') return `is asked to leave ${leaves} at ${asksAt ?? 'a time that is not known'}`;
  if (state === 'notAsked') return `not asked to leave ${leaves} yet`;
  const when = askedAt === null ? '' : ` ${span(now - Date.parse(askedAt))} ago`;
  const silence = state === 'silent' ? '; it has shown no life since' : '';
  return `asked${when} to leave ${leaves}${silence}`;
}

const PARENT_STATUS = {
  entered: 'the identity of the device names it',
  missing: 'the identity of the device does not name it',
  another: 'the identity of the device names another one',
};

function parentText({ deviceId, status, why }: NonNullable<DeviceStatus['twins'][number]['parent']>): string {
  return `${deviceId}: ${PARENT_STATUS[status]}${why === '' ? '' : ` (${why})`}`;
}

const GETS = {
  new: 'the content of the fleet file',
  previous: 'the earlier content',
  nothing: 'nothing of it yet',
  back: 'what it had before the rollback',
} as const;

/** `rollout sensor, stage all: the earlier content, because stage all of the rollout has not begun`. */
function rolloutText({
  policy,
  stage,
  gets,
  why,
}: DeviceStatus['twins'][number]['rollouts'][number]): string {
  const place = stage === null ? '' : `, stage ${stage}`;
  return `rollout ${policy}${place}: ${GETS[gets]}${why === '' ? '' : `, because ${why}`}`;
}

/** The modules of an IoT Edge device. */
function sayEdge(
  terminal: Terminal,
  edge: NonNullable<DeviceStatus['twins'][number]['edge']>,
  now: EpochMs,
): void {
  const { applied, deployments, status, why, modules, leftovers, problems } = edge;
  const appliedAt = applied?.at ?? null;
  sayFacts(terminal, [
    ['manifest', `${status}${why === '' ? '' : `: ${printable(why)}`}`],
    ['deployments', deployments.join(', ')],
    [
      'applied',
      applied === null || appliedAt === null
        ? 'never'
        : `${appliedAt} (${span(now - Date.parse(appliedAt))} ago): ${printable(applied.why)}`,
    ],
    ['leftovers', printable(leftovers.join(', '))],
  ]);
  for (const { code, path, message } of problems)
    say(terminal, `  ${code}: ${printable(`${path} ${message}`)}`);
  if (modules.length === 0) return;
  say(terminal);
  sayTable(
    terminal,
    ['module', 'status', 'image', 'restarts', 'reason'],
    modules.map((module) => [
      printable(module.name),
      module.status,
      printable(module.image ?? '-'),
      count(module.restartCount),
      printable(module.why),
    ]),
  );
}

function valueText(value: unknown): string {
  return value === null || value === undefined ? '-' : printable(shortJson(value, 40));
}

function momentText(moment: DeviceMoment): string {
  const at = moment.at.slice(0, 19);
  const of =
    moment.kind !== 'decision' && moment.moduleId !== null ? `module ${printable(moment.moduleId)}, ` : '';
  switch (moment.kind) {
    case 'decision':
      return `${at}  ${moment.hub === null ? 'refused' : `${moment.how} on ${moment.hub}`}: ${printable(moment.why)}`;
    case 'seen':
      return `${at}  ${of}first seen on ${moment.hub}`;
    case 'write':
      return `${at}  ${of}${moment.policy} wrote ${printable(moment.path)} = ${valueText(moment.value)}${moment.count > 1 ? `, ${moment.count} times` : ''}`;
    case 'change':
      return `${at}  ${of}another writer changed ${printable(moment.path)}`;
    case 'report':
      return `${at}  ${of}the device reported ${printable(moment.path)}`;
    case 'status':
      return `${at}  ${of}${moment.status}${moment.why === '' ? '' : `: ${printable(twinReasonText(moment.why))}`}`;
  }
}
