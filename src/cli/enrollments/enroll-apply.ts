import { dpsPlace } from '../../dps/connection.ts';
import { openDps } from '../../dps/dps.ts';
import { DpsError, type DpsPort } from '../../dps/port.ts';
import { bodyOf, hasKeys } from '../../enroll/body.ts';
import { type EnrollmentStep, keyOf } from '../../enroll/plan.ts';
import type { WantedEnrollment } from '../../enroll/wanted.ts';
import { keyVariableOf } from '../../enroll/webhooks.ts';
import { BerthError } from '../../errors.ts';
import type { JsonObject } from '../../json/json.ts';
import type { Environment } from '../../settings/settings.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT, toggle } from '../shell/inputs.ts';
import { plural, say, sayJson, type Terminal, tell } from '../shell/terminal.ts';
import { makePlan, planEnroll, webhookKey } from './enroll-plan.ts';
import { countsText, nameOf, planJson, sayPlan } from './enroll-text.ts';
import { FROM_ENROLLMENTS_FILE, wantedEnrollments } from './enrollments-file.ts';

const INPUTS = {
  ...FROM_ENROLLMENTS_FILE,
  '--dry-run': toggle('only show the plan, like "berth enroll plan"'),
  '--prune': toggle('also delete enrollments that are not in the file'),
  '--yes': toggle('with --prune: confirm the deletion'),
  ...JSON_OUTPUT,
};

/** The most plans that Berth makes. It plans again if another writer changed an enrollment. */
const ROUNDS = 3;

/** `berth enroll apply`: creates and updates the enrollments that differ from the file. */
export function registerEnrollApply(enroll: CommandGroup): void {
  enroll.command({
    name: 'apply',
    description: 'create and update the enrollments that differ from the file',
    inputs: INPUTS,
    example: 'berth enroll apply --dry-run',
    changes: true,
    run: applyEnroll,
  });
}

async function applyEnroll(cli: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const { terminal, env } = cli;
  if (options.prune && !options.yes && !options.dryRun) {
    throw invalid(
      '--prune deletes enrollments permanently: check "berth enroll plan" first, then add --yes.',
    );
  }
  if (options.dryRun) return planEnroll(cli, options);
  const wanted = wantedEnrollments(options.file, env);
  const dps = openDps(dpsPlace(env));
  try {
    return await applyRounds(dps, wanted, options, terminal, env);
  } finally {
    await dps.close();
  }
}

async function applyRounds(
  dps: DpsPort,
  wanted: readonly WantedEnrollment[],
  { json, prune }: Given<typeof INPUTS>,
  terminal: Terminal,
  env: Environment,
): Promise<number> {
  tell(terminal, `DPS: ${dps.host}.`);
  const done: EnrollmentStep[] = [];
  const refused = new Map<string, string>();
  const resultJson = () => ({ dps: dps.host, done: planJson(done), refused: [...refused.keys()] });
  let conflicts: readonly EnrollmentStep[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const { steps, mechanisms } = await makePlan(dps, wanted, env);
    const due = steps.filter((step) => isChange(step, prune) && !refused.has(nameOf(step)));
    requireKey(due, env);
    if (!json) sayPlan(terminal, round === 1 ? steps : due);
    if (!json && round === 1) say(terminal, `${countsText(steps)}.`);
    const extra = steps.filter(({ action }) => action === 'only in DPS').length;
    if (round === 1 && extra > 0 && !prune) {
      tell(
        terminal,
        `${plural(extra, 'enrollment')} only in DPS: unchanged. Use --prune --yes to delete them.`,
      );
    }
    conflicts = await carryOutAll(dps, due, mechanisms, env, {
      written(step) {
        done.push(step);
        if (!json) say(terminal, `${DONE[step.action]} ${nameOf(step)}`);
      },
      refused(step, { message }) {
        refused.set(nameOf(step), message);
        tell(terminal, `${nameOf(step)}: ${message}`);
      },
      overtaken(step, { status = 412 }) {
        tell(terminal, `${nameOf(step)} was changed by another writer meanwhile (${status}).`);
      },
      stopped() {
        // The error is then a line on the error output, as always after a result.
        if (json && done.length > 0) sayJson(terminal, resultJson());
        tell(
          terminal,
          `${plural(done.length, 'enrollment')} written before this error. Run the same command again to continue.`,
        );
      },
    });
    if (conflicts.length === 0) break;
    if (round < ROUNDS) tell(terminal, 'Planning again.');
  }
  if (json) sayJson(terminal, resultJson());
  const left = conflicts.length + refused.size;
  if (left > 0) {
    throw new BerthError(
      'BERTH_ENROLLMENTS_UNFINISHED',
      `${plural(left, 'enrollment')} could not be written, ${done.length} written. Correct the cause and run the same command again to continue.`,
      { details: [...refused].map(([path, message]) => ({ path, message })) },
    );
  }
  tell(terminal, `${plural(done.length, 'enrollment')} written.`);
  return 0;
}

/** Callbacks for the results of steps. */
interface StepResults {
  written(step: EnrollmentStep): void;
  /** DPS refused the step. The other steps continue. */
  refused(step: EnrollmentStep, error: DpsError): void;
  /** Another writer changed the enrollment first. */
  overtaken(step: EnrollmentStep, error: DpsError): void;
  /** An error ended the run. */
  stopped(): void;
}

/** Returns the steps of enrollments that another writer changed first. */
async function carryOutAll(
  dps: DpsPort,
  steps: readonly EnrollmentStep[],
  mechanisms: ReadonlyMap<string, JsonObject>,
  env: Environment,
  results: StepResults,
): Promise<readonly EnrollmentStep[]> {
  const conflicts: EnrollmentStep[] = [];
  for (const step of steps) {
    try {
      await carryOut(dps, step, mechanisms, env);
      results.written(step);
    } catch (error) {
      if (!(error instanceof DpsError)) throw error;
      switch (error.code) {
        case 'BERTH_DPS_PRECONDITION_FAILED':
          conflicts.push(step);
          results.overtaken(step, error);
          break;
        case 'BERTH_DPS_REFUSED':
          results.refused(step, error);
          break;
        default:
          results.stopped();
          throw error;
      }
    }
  }
  return conflicts;
}

const DONE: Readonly<Record<EnrollmentStep['action'], string>> = {
  create: 'created  ',
  update: 'updated  ',
  unchanged: 'unchanged',
  'only in DPS': 'deleted  ',
};

function isChange({ action }: EnrollmentStep, prune: boolean): boolean {
  return action === 'create' || action === 'update' || (prune && action === 'only in DPS');
}

/** Checks the keys before the first write, because Berth writes the URL of a webhook with its key. */
function requireKey(steps: readonly EnrollmentStep[], env: Environment): void {
  const missing = new Set<string>();
  for (const step of steps) {
    if (step.action !== 'create' && step.action !== 'update') continue;
    const { webhook } = step.wanted;
    if (webhook !== undefined && webhookKey(webhook, env) === undefined) missing.add(keyVariableOf(webhook));
  }
  const [first, ...others] = missing;
  if (first === undefined) return;
  throw new BerthError(
    'BERTH_SETTING_INVALID',
    `${[first, ...others].join(', ')} ${others.length === 0 ? 'is not set: set it to the function key' : 'are not set: set each to the function key'}. Enrollments with the custom policy contain the key, and DPS does not return it. See "Function keys" in docs/enrollments.md.`,
  );
}

async function carryOut(
  dps: DpsPort,
  step: EnrollmentStep,
  mechanisms: ReadonlyMap<string, JsonObject>,
  env: Environment,
): Promise<void> {
  switch (step.action) {
    case 'create': {
      const { kind, id } = step.wanted;
      const body = bodyOf({
        wanted: step.wanted,
        record: undefined,
        mechanism: undefined,
        webhookKey: step.wanted.webhook && webhookKey(step.wanted.webhook, env),
      });
      await dps.put(kind, id, body, undefined);
      return;
    }
    case 'update': {
      const { wanted, record } = step;
      const { kind, id, etag } = record;
      // DPS keeps the keys that it generated only if the update contains them.
      const keeps = wanted.attestation.type === 'symmetricKey' && hasKeys(record);
      const mechanism = keeps
        ? (mechanisms.get(keyOf(record)) ?? (await dps.mechanism(kind, id)))
        : undefined;
      const key = wanted.webhook && webhookKey(wanted.webhook, env);
      await dps.put(kind, id, bodyOf({ wanted, record, mechanism, webhookKey: key }), etag);
      return;
    }
    case 'only in DPS':
      await dps.delete(step.record.kind, step.record.id, step.record.etag);
      return;
    case 'unchanged':
      return;
  }
}
