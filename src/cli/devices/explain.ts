import { decide } from '../../allocation/decision/decide.ts';
import { finalConditions } from '../../allocation/moves/moves.ts';
import { type KnownParent, parentNamedFor } from '../../allocation/parent/known-parent.ts';
import { type Receipt, receiptOf } from '../../allocation/receipt/receipt.ts';
import { recompute } from '../../allocation/receipt/recompute.ts';
import { looksLikeReceipt, readReceipt } from '../../allocation/receipt/stored-receipt.ts';
import { type AllocationRequest, parseAllocationRequest } from '../../allocation/request/request.ts';
import { readRequestBody } from '../../allocation/request/request-body.ts';
import { BerthError } from '../../errors.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { hostName, isHostName } from '../../iot-hub/host-name.ts';
import { isObject } from '../../json/json.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { chosenFleetFile, parseJsonFile, readFleetFile, readTextFile } from '../shell/files.ts';
import { FLEET_FILE, type Given, JSON_OUTPUT, requiredText, text } from '../shell/inputs.ts';
import { say, sayJson, shortRevision, type Terminal } from '../shell/terminal.ts';
import { sayReceipt } from './receipt-text.ts';

const INPUTS = {
  '--fleet <file>': FLEET_FILE,
  '--request <file>': requiredText('a file with a request of DPS or a receipt; - reads standard input'),
  '--parent-hub <host>': text('the hub of the parent that a rule names; only for a request of DPS'),
  ...JSON_OUTPUT,
};

/**
 * `berth explain`: shows what a fleet file decides about a request of DPS, and why. For a receipt, it makes
 * the decision again and shows the differences. It works offline: a receipt contains its conditions. For a
 * request, all gradual moves are complete.
 */
export function registerExplain(berth: CommandGroup): void {
  berth.command({
    name: 'explain',
    description:
      'explain offline what a fleet file decides about a request, or make the decision of a receipt again',
    inputs: INPUTS,
    example: 'berth explain --request receipt.json --fleet new-fleet.json',
    changes: false,
    run: explain,
  });
}

async function explain({ terminal, env, now }: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const { fleet } = readFleetFile(chosenFleetFile(options.fleet, env));
  const given = readTextFile(options.request);
  const json = unwrapped(parseJsonFile(given, options.request));
  if (looksLikeReceipt(json)) {
    const receipt = readReceipt(json);
    if (receipt !== undefined) return explainReceipt(terminal, receipt, fleet, options.json);
    throw new BerthError(
      'BERTH_REQUEST_INVALID',
      `${options.request} is not a complete receipt: give the whole receipt, as the log or "berth explain --json" shows it.`,
    );
  }
  const request = parseAllocationRequest(readRequestBody(Buffer.from(given, 'utf8')));
  const at = now();
  const input = {
    request,
    fleet,
    conditions: finalConditions(fleet, at),
    parent: givenParent(request, fleet, options.parentHub),
    now: at,
  };
  const receipt = receiptOf(input, decide(input));
  if (options.json) sayJson(terminal, receipt);
  else sayReceipt(terminal, receipt);
  return 0;
}

/** The parent that the rules name, on the given hub. This command reads no state tables. */
function givenParent(
  request: AllocationRequest,
  fleet: Fleet,
  hub: string | undefined,
): KnownParent | undefined {
  const deviceId = parentNamedFor(request, fleet);
  if (hub !== undefined && !isHostName(hub)) {
    throw invalid(`--parent-hub is ${JSON.stringify(hub)}: write the host name of a hub.`);
  }
  if (deviceId === undefined) return undefined;
  return hub === undefined
    ? { deviceId, why: 'this command works offline: give the hub with --parent-hub' }
    : { deviceId, hub: hostName(hub) };
}

/** Finds the receipt inside a log line, the answer about a device, or the output of this command. */
function unwrapped(json: unknown): unknown {
  if (Array.isArray(json)) return json[0];
  if (!isObject(json)) return json;
  if (isObject(json.receipt)) return json.receipt;
  return Array.isArray(json.receipts) && json.receipts.length > 0 ? json.receipts[0] : json;
}

function explainReceipt(terminal: Terminal, given: Receipt, fleet: Fleet, json: boolean): number {
  const { receipt, differences, notKept } = recompute(given, fleet);
  const isSameFile = given.revision === fleet.revision;
  if (json) sayJson(terminal, { receipt, differences, notKept });
  else {
    sayReceipt(terminal, receipt);
    say(terminal);
    for (const line of conclusion(isSameFile, given, fleet, differences, notKept)) say(terminal, line);
  }
  // Another fleet file may decide differently. The same file must decide the same.
  return isSameFile && differences.length > 0 && notKept.length === 0 ? 1 : 0;
}

function conclusion(
  isSameFile: boolean,
  given: Receipt,
  fleet: Fleet,
  differences: readonly string[],
  notKept: readonly string[],
): readonly string[] {
  const lost =
    notKept.length === 0
      ? []
      : [`The receipt does not contain the original value of these inputs: ${notKept.join(', ')}.`];
  if (differences.length === 0) return ['Recomputed: the receipt is identical.', ...lost];
  const changed = differences.filter((path) => path !== 'revision');
  const what = changed.length === 0 ? 'decides the same' : `differs in ${changed.slice(0, 8).join(', ')}`;
  return isSameFile
    ? [`Recomputed: the new receipt ${what}.`, ...lost]
    : [
        `The receipt was made with revision ${shortRevision(given.revision)}. This file has revision ${shortRevision(fleet.revision)} and ${what}.`,
        ...lost,
      ];
}
