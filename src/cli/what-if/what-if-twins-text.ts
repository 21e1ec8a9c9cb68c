import type { EpochMs } from '../../time/epoch-ms.ts';
import type { StageForecast } from '../../what-if/stage-forecast.ts';
import type { Apart } from '../../what-if/try-twin.ts';
import type { HubWrites, PolicyReport, TwinReport } from '../../what-if/twin-report.ts';
import { pauseReason } from '../../what-if/twin-report.ts';
import type { PropertyChange } from '../../what-if/twin-tally.ts';
import { durationText } from '../../what-if/write-cost.ts';
import { printable, printableStart } from '../shell/printable.ts';
import { count, percent, plural, right, say, span, type Terminal } from '../shell/terminal.ts';
import { amount, headline, saySection, sayWarnings } from './report-text.ts';

/** The most changes of one patch that are shown. Further ones are counted. */
const MOST_CHANGES = 10;
const MOST_VALUE = 60;
const MOST_WHY = 160;

/** Writes the report on twins as text. */
export function sayTwinReport(terminal: Terminal, report: TwinReport, compared: string, now: EpochMs): void {
  const { twins, revision, hubs, policies, warnings } = report;
  const planned = `${plural(twins.planned, 'twin')} planned`;
  say(terminal, `${headline(planned, revision, compared)}${apartText(twins.apart)}`);
  sayHubs(terminal, hubs);
  sayWrites(terminal, report);
  if (policies.length > 0) sayPolicies(terminal, policies, now);
  sayStatuses(terminal, report.statuses);
  for (const policy of policies) {
    sayStages(terminal, policy);
    sayPatches(terminal, policy);
  }
  sayProblems(terminal, policies);
  sayWarnings(terminal, warnings);
}

const APART_TEXT: Readonly<Record<Apart, string>> = {
  deleted: 'deleted',
  elsewhere: 'on hubs that are not reconciled here',
  suspended: 'suspended',
  unread: 'unread',
  writing: 'being written now',
};

function apartText(apart: TwinReport['twins']['apart']): string {
  const some = (Object.keys(APART_TEXT) as Apart[]).filter((why) => apart[why] > 0);
  return some.length === 0
    ? ''
    : `; not planned: ${some.map((why) => `${count(apart[why])} ${APART_TEXT[why]}`).join(', ')}`;
}

function sayHubs(terminal: Terminal, hubs: readonly HubWrites[]): void {
  saySection(
    terminal,
    [
      'hub',
      right('twins'),
      right('writes'),
      right('properties'),
      right('messages'),
      right('by rate'),
      right('by daily quota'),
      right('takes'),
      'limited by',
    ],
    hubs.map(({ host, planned, writes, properties, cost }) => [
      host,
      count(planned),
      amount(writes, planned),
      count(properties),
      cost === undefined ? '-' : count(cost.messages),
      cost === undefined ? '-' : took(cost.rate.hours),
      cost === undefined ? '-' : daysText(cost.daily.days),
      cost === undefined ? '-' : took(cost.hours),
      cost === undefined ? '' : bottleneckText(cost),
    ]),
  );
}

function bottleneckText({ bottleneck, rate, daily }: NonNullable<HubWrites['cost']>): string {
  switch (bottleneck) {
    case 'rate':
      return `rate, ${Number(rate.writesPerSecond.toPrecision(3))} writes a second`;
    case 'daily':
      return `daily quota, ${plural(daily.messages, 'message')}`;
    case undefined:
      return '';
  }
}

function sayWrites(terminal: Terminal, { writes, policies }: TwinReport): void {
  say(terminal);
  if (writes.count === 0) {
    say(terminal, 'No twin would be written.');
    return;
  }
  const { count: number, properties, messages, hours, slowest } = writes;
  say(
    terminal,
    `${plural(number, 'twin')} would be written, ${plural(properties, 'property', 'properties')} in ${plural(messages, 'message')}, when every rollout is complete and nothing is paused. With the budget of ${slowest}, ${hours === undefined ? 'that never ends' : `that takes at least ${took(hours)}`}.`,
  );
  const inRollout = policies.filter(({ rollout, written }) => written > 0 && rollout?.kind === 'begins');
  const [over] = inRollout.flatMap(({ rollout }) => (rollout?.kind === 'begins' ? [rollout.overHours] : []));
  if (over !== undefined) {
    const names = inRollout.map(({ name }) => name).join(', ');
    const isStaged = inRollout.some(({ rollout }) => rollout?.kind === 'begins' && rollout.isStaged === true);
    say(
      terminal,
      isStaged
        ? `The writes of ${names} go in stages, which take at least ${durationText(over)}.`
        : `The writes of ${names} are spread over ${durationText(over)} (twins.rollout.over).`,
    );
  }
}

function sayPolicies(terminal: Terminal, policies: readonly PolicyReport[], now: EpochMs): void {
  saySection(
    terminal,
    [
      'policy',
      'content',
      'mode',
      right('owned'),
      right('written'),
      right('held'),
      right('waiting'),
      right('rejected'),
      right('contested'),
      'rollout',
    ],
    policies.map((policy) => [
      policy.name,
      policy.change,
      policy.mode ?? '-',
      count(policy.owned),
      count(policy.written),
      count(policy.held),
      count(policy.waiting),
      count(policy.rejected),
      count(policy.contested),
      [rolloutText(policy), ...(policy.paused === undefined ? [] : [pausedText(policy.paused, now)])].join(
        '; ',
      ),
    ]),
  );
}

function rolloutText({ rollout }: PolicyReport): string {
  switch (rollout?.kind) {
    case 'none':
      return 'at once';
    case 'begins':
      return `over ${durationText(rollout.overHours)}, from its deployment`;
    case 'runs':
      return `over ${durationText(rollout.overHours)}, ${percent(rollout.reached)} reached`;
    case 'over':
      return 'complete';
    case undefined:
      return 'removed: its values stay';
  }
}

function pausedText(pause: NonNullable<PolicyReport['paused']>, now: EpochMs): string {
  return printable(`paused now, for ${span(now - pause.at)}, ${pauseReason(pause)}`);
}

function sayStatuses(terminal: Terminal, { unchanged, changed }: TwinReport['statuses']): void {
  if (changed.length === 0) {
    say(terminal);
    say(terminal, 'No twin would change its status.');
    return;
  }
  saySection(
    terminal,
    [right('twins'), 'status', 'after'],
    [
      ...changed.map(({ from, to, count: number }) => [count(number), from, to]),
      ...(unchanged === 0 ? [] : [[count(unchanged), 'unchanged', '']]),
    ],
  );
}

function sayPatches(terminal: Terminal, { name, written, patches }: PolicyReport): void {
  if (patches.length === 0) return;
  const isRolledOut = patches.some(({ reached }) => reached?.stage !== undefined);
  saySection(
    terminal,
    ['  device', 'hub', 'path', 'before -> after', ...(isRolledOut ? ['reached'] : [])],
    patches.flatMap((patch) => {
      const more = patch.changes.length - MOST_CHANGES;
      return [
        ...patch.changes
          .slice(0, MOST_CHANGES)
          .map((change) => [
            `  ${twinText(patch)}`,
            patch.hub,
            change.path,
            changeText(change),
            ...(isRolledOut ? [reachedText(patch.reached)] : []),
          ]),
        ...(more > 0
          ? [[`  ${twinText(patch)}`, patch.hub, `and ${more} more`, '', ...(isRolledOut ? [''] : [])]]
          : []),
      ];
    }),
    `${name} would write to ${plural(written, 'twin')}${written > patches.length ? ', such as' : ''}:`,
  );
}

/** `stage tenth, after 2 h at the earliest, and an approval` */
function reachedText(reached: StageForecast | undefined): string {
  if (reached === undefined) return 'at once';
  const { stage, afterMs, needsApproval, hasWindow } = reached;
  return [
    ...(stage === undefined ? [] : [`stage ${printable(stage)}`]),
    earliestText(afterMs),
    ...(needsApproval ? ['after an approval'] : []),
    ...(hasWindow ? ['in its maintenance window'] : []),
  ].join(', ');
}

function earliestText(afterMs: number): string {
  return afterMs === 0 ? 'at once' : `after ${durationText(afterMs / 3_600_000)} at the earliest`;
}

/** How many twins each stage would write, and when it reaches the first of them. */
function sayStages(terminal: Terminal, { name, stages }: PolicyReport): void {
  if (stages.length === 0) return;
  saySection(
    terminal,
    ['  stage', right('twins'), 'reached'],
    stages.map(({ name: stage, written, afterMs, needsApproval }) => [
      `  ${printable(stage)}`,
      count(written),
      `${earliestText(afterMs)}${needsApproval ? ', after an approval' : ''}`,
    ]),
    `The stages of ${name}, with the twins that each would write. Gates come on top:`,
  );
}

function changeText({ before, after }: PropertyChange): string {
  const text = (value: unknown) => printableStart(JSON.stringify(value), MOST_VALUE);
  return `${before === undefined ? '(absent)' : text(before)} -> ${after === null ? '(absent)' : text(after)}`;
}

function sayProblems(terminal: Terminal, policies: readonly PolicyReport[]): void {
  const problems = policies.flatMap(({ name, problems: found }) =>
    found.map((problem) => [
      name,
      twinText(problem),
      problem.hub,
      problem.path,
      problem.status,
      printableStart(problem.why, MOST_WHY),
    ]),
  );
  if (problems.length === 0) return;
  saySection(
    terminal,
    ['policy', 'device', 'hub', 'path', 'status', 'reason'],
    problems,
    'Not written (the first of each policy):',
  );
}

function twinText({ deviceId, moduleId }: { readonly deviceId: string; readonly moduleId?: string }): string {
  return printable(moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`);
}

function took(hours: number | undefined): string {
  return hours === undefined ? 'never ends' : durationText(hours);
}

function daysText(days: number | undefined): string {
  return days === undefined ? 'never ends' : plural(days, 'day');
}
