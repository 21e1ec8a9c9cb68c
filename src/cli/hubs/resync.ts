import * as z from 'zod';
import { pauseOf } from '../../control/pauses.ts';
import { withEventsTrusted } from '../../control/trusted-hubs.ts';
import { type Hub, hostsOf } from '../../fleet/fleet.ts';
import { dailyLimit, MESSAGES, RESYNC_PART, ratePerSecond } from '../../hub/budget.ts';
import type { JsonValue } from '../../json/json.ts';
import { stamp } from '../../settings/settings.ts';
import type { CountedTwins } from '../../store/twins/twin-store.ts';
import { auditName, type ResyncRequest, requestName } from '../../sync/resync/audit.ts';
import { DAY_MS } from '../../time/day.ts';
import { EPOCH, type EpochMs, laterOf, plus } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';
import { TWIN_STATUSES } from '../../twin/snapshot/snapshot.ts';
import { pauseText } from '../policies/pause-text.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { readFleetFile } from '../shell/files.ts';
import { DEPLOYED_FLEET, type Given, reason, requiredText } from '../shell/inputs.ts';
import { knownHub } from '../shell/known.ts';
import { printable } from '../shell/printable.ts';
import { openState } from '../shell/state.ts';
import { count, moment, plural, span, tell } from '../shell/terminal.ts';

const INPUTS = {
  '--hub <host>': requiredText('such as contoso-weu.azure-devices.net'),
  '--reason <text>': reason('the reason, kept with the request'),
  ...DEPLOYED_FLEET,
};

/** `berth resync`: everything of a hub is read again, as after a failover, and its events are trusted again. */
export function registerResync(berth: CommandGroup): void {
  berth.command({
    name: 'resync',
    description: 'read every twin of a hub again, as after a failover, and trust its events again',
    inputs: INPUTS,
    run: resyncHub,
  });
}

async function resyncHub({ terminal, env, now }: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const { fleet } = readFleetFile(options.fleet);
  const host = knownHub(options.hub, hostsOf(fleet, stamp(env)), options.fleet);
  const state = openState(env);
  const author = await state.author();
  const lastAudit = readAudit(await state.progress.read(auditName(host)));
  // An audit takes what was asked for after it began, and the clocks of the two may differ.
  const at = laterOf(now(), plus(lastAudit?.startedAt ?? EPOCH, 1));

  const request: ResyncRequest = { at, author, reason: options.reason };
  await state.progress.write(requestName(host), request);
  const { untrusted } = await state.control.read();
  const control = await state.control.update((row) => withEventsTrusted(row, host));

  tell(terminal, `Every twin of ${host} is read again, asked for by ${author}: ${options.reason}.`);
  if (lastAudit !== undefined && lastAudit.phase !== 'done') {
    tell(terminal, `The audit that began at ${moment(lastAudit.startedAt)} starts again from the beginning.`);
  }
  const distrust = untrusted[host];
  if (distrust !== undefined) {
    const { since, why } = distrust;
    tell(terminal, `Its events are trusted again; they were not since ${moment(since)}: ${printable(why)}.`);
  }
  const hub = fleet.hubByHost.get(host);
  if (hub !== undefined) tell(terminal, costText(hub, await state.twins.counts(host), now()));
  const paused = pauseOf(control, host);
  tell(
    terminal,
    paused === undefined
      ? 'resyncFleet begins within a minute; GET /api/fleet shows how far it is (audit).'
      : `It does not begin before writes are resumed: paused ${pauseText(paused, now())}.`,
  );
  tell(terminal, `State: ${state.place}.`);
  return 0;
}

/** What reading so many twins takes of a hub's budget. */
export interface ResyncCost {
  /** What the budget allows. */
  readonly readsPerSecond: number;
  readonly messages: number;
  readonly messagesPerDay: number;
  /** The least time that it takes. */
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
      ? `${plural(twins, 'twin')} counted so far, not all have been`
      : `${plural(twins, 'twin')} known, counted ${span(now - countedAt)} ago`;
  const { messages, messagesPerDay, ms, readsPerSecond } = resyncCost(hub, twins);
  const time = Number.isFinite(ms) ? `at least ${span(ms)}` : 'no end: raise its budget.daily';
  return `${known}: as many reads, at most ${count(readsPerSecond)} a second; ${plural(messages, 'message')}, at most ${count(messagesPerDay)} a day. That takes ${time}. Corrections come on top.`;
}

const auditSchema = z.object({ startedAt: epochMsSchema, phase: z.string() });

function readAudit(stored: JsonValue | undefined): z.output<typeof auditSchema> | undefined {
  const parsed = auditSchema.safeParse(stored);
  return parsed.success ? parsed.data : undefined;
}
