import * as z from 'zod';
import { pauseOf } from '../../control/pauses.ts';
import { withEventsTrusted } from '../../control/trusted-hubs.ts';
import { type Hub, hostsOf } from '../../fleet/fleet.ts';
import { dailyLimit, MESSAGES, RESYNC_PART, ratePerSecond } from '../../hub/budget.ts';
import type { JsonValue } from '../../json/json.ts';
import { stamp } from '../../settings/settings.ts';
import type { CountedTwins } from '../../store/twins/twin-count-store.ts';
import { auditName, type ResyncRequest, requestName } from '../../sync/resync/audit-progress.ts';
import { DAY_MS } from '../../time/day.ts';
import { EPOCH, type EpochMs, laterOf, plus } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';
import { TWIN_STATUSES } from '../../twin/snapshot/snapshot.ts';
import { pauseText } from '../policies/pause-text.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { DEPLOYED_FLEET, type Given, reason, requiredText } from '../shell/inputs.ts';
import { knownHub } from '../shell/known.ts';
import { printable } from '../shell/printable.ts';
import { deployedFleet, openState } from '../shell/state.ts';
import { count, moment, plural, span, tell } from '../shell/terminal.ts';

const INPUTS = {
  '--hub <host>': requiredText('host name of the hub, such as contoso-weu.azure-devices.net'),
  '--reason <text>': reason('the reason, stored with the request'),
  ...DEPLOYED_FLEET,
};

/**
 * `berth resync`: requests that Berth reads every twin of a hub again, and trusts the events of the hub
 * again.
 */
export function registerResync(berth: CommandGroup): void {
  berth.command({
    name: 'resync',
    description: 'read every twin of a hub again, for example after a failover, and trust its events again',
    inputs: INPUTS,
    example: 'berth resync --hub contoso-weu.azure-devices.net --reason "failover, ticket 4711"',
    changes: true,
    run: resyncHub,
  });
}

async function resyncHub({ terminal, env, now }: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const state = openState(env);
  const { fleet, name } = await deployedFleet(state, options.fleet);
  const host = knownHub(options.hub, hostsOf(fleet, stamp(env)), name);
  const author = await state.author();
  const lastAudit = readAudit(await state.progress.read(auditName(host)));
  // An audit obeys only requests from after its start, and the clocks of the two machines may differ.
  const at = laterOf(now(), plus(lastAudit?.startedAt ?? EPOCH, 1));

  const request: ResyncRequest = { at, author, reason: options.reason };
  await state.progress.write(requestName(host), request);
  const { untrusted } = await state.control.read();
  const control = await state.control.update((row) => withEventsTrusted(row, host));

  tell(terminal, `Berth reads every twin of ${host} again, as requested by ${author}: ${options.reason}.`);
  if (lastAudit !== undefined && lastAudit.phase !== 'done') {
    tell(
      terminal,
      `The audit that started at ${moment(lastAudit.startedAt)} starts again from the beginning.`,
    );
  }
  const distrust = untrusted[host];
  if (distrust !== undefined) {
    const { since, why } = distrust;
    tell(
      terminal,
      `Its events are trusted again. They were not trusted since ${moment(since)}: ${printable(why)}.`,
    );
  }
  const hub = fleet.hubByHost.get(host);
  if (hub !== undefined) tell(terminal, costText(hub, await state.twinCounts.of(host), now()));
  const paused = pauseOf(control, host);
  tell(
    terminal,
    paused === undefined
      ? 'resyncFleet starts within a minute. GET /api/fleet shows the progress ("audit").'
      : `It starts only after "berth resume": paused ${pauseText(paused, now())}.`,
  );
  tell(terminal, `State: ${state.place}.`);
  return 0;
}

/** What it costs to read a number of twins within the budget of a hub. */
export interface ResyncCost {
  /** What the budget allows. */
  readonly readsPerSecond: number;
  readonly messages: number;
  readonly messagesPerDay: number;
  /** The shortest possible time. */
  readonly ms: number;
}

export function resyncCost(hub: Pick<Hub, 'tier' | 'units' | 'budget'>, twins: number): ResyncCost {
  const readsPerSecond = ratePerSecond(hub, 'read', RESYNC_PART);
  const messages = twins * MESSAGES.read;
  const messagesPerDay = dailyLimit(hub, RESYNC_PART);
  const byRate = (twins / readsPerSecond) * 1_000;
  const byDay = messages <= messagesPerDay ? 0 : (messages / messagesPerDay) * DAY_MS;
  return { readsPerSecond, messages, messagesPerDay, ms: Math.max(byRate, byDay) };
}

function costText(hub: Hub, { statuses, countedAt }: CountedTwins, now: EpochMs): string {
  const twins = TWIN_STATUSES.reduce((sum, status) => sum + statuses[status], 0);
  const known =
    countedAt === undefined
      ? `${plural(twins, 'twin')} counted so far, counting is not complete`
      : `${plural(twins, 'twin')} known, counted ${span(now - countedAt)} ago`;
  const { messages, messagesPerDay, ms, readsPerSecond } = resyncCost(hub, twins);
  const time = Number.isFinite(ms)
    ? `This takes at least ${span(ms)}, corrections not included.`
    : 'The budget never allows this: raise budget.daily of the hub.';
  return `${known}. Each needs one read: at most ${count(readsPerSecond)} a second; ${plural(messages, 'message')}, at most ${count(messagesPerDay)} a day. ${time}`;
}

const auditSchema = z.object({ startedAt: epochMsSchema, phase: z.string() });

function readAudit(stored: JsonValue | undefined): z.output<typeof auditSchema> | undefined {
  const parsed = auditSchema.safeParse(stored);
  return parsed.success ? parsed.data : undefined;
}
