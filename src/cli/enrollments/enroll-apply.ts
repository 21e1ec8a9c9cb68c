import { dpsPlace } from '../../dps/connection.ts';
import { openDps } from '../../dps/dps.ts';
import { DpsError, type DpsPort } from '../../dps/port.ts';
import { bodyOf, hasKeys } from '../../enroll/body.ts';
import { type EnrollmentStep, keyOf } from '../../enroll/plan.ts';
import type { WantedEnrollment } from '../../enroll/wanted.ts';
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
  '--dry-run': toggle('as plan'),
  '--prune': toggle('delete what is not in the file'),
  '--yes': toggle('with --prune: really'),
  ...JSON_OUTPUT,
};

/** How often a plan is made anew because somebody else wrote in between. */
const ROUNDS = 3;

/** `berth enroll apply`: creates and updates what differs, and nothing else. */
export function registerEnrollApply(enroll: CommandGroup): void {
  enroll.command({
    name: 'apply',
    description: 'create and update what differs, and nothing else',
    inputs: INPUTS,
    run: applyEnroll,
  });
}

async function applyEnroll(cli: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const { terminal, env } = cli;
  if (options.prune && !options.yes && !options.dryRun) {
    throw invalid('--prune deletes enrollments for good: look at "berth enroll plan" first, then add --yes.');
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
  let conflicts: readonly EnrollmentStep[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const { steps, mechanisms } = await makePlan(dps, wanted, env);
    const due = steps.filter((step) => isChange(step, prune) && !refused.has(nameOf(step)));
    requireKey(due, env);
    if (!json) sayPlan(terminal, round === 1 ? steps : due);
    if (!json && round === 1) say(terminal, `${countsText(steps)}.`);
    const extra = steps.filter(({ action }) => action === 'only there').length;
    if (round === 1 && extra > 0 && !prune) {
      tell(terminal, `${plural(extra, 'enrollment')} only there and left alone; --prune --yes deletes such.`);
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
        tell(terminal, `${nameOf(step)} was changed by another writer in between (${status}).`);
      },
      stopped() {
        tell(terminal, `${plural(done.length, 'enrollment')} written before this; the same command goes on.`);
      },
    });
    if (conflicts.length === 0) break;
    if (round < ROUNDS) tell(terminal, 'Planning again.');
  }
  if (json) sayJson(terminal, { dps: dps.host, done: planJson(done), refused: [...refused.keys()] });
  const left = conflicts.length + refused.size;
  if (left > 0) {
    throw new BerthError(
      'BERTH_ENROLLMENTS_UNFINISHED',
      `${plural(left, 'enrollment')} could not be written, ${done.length} done; the same command goes on where it stopped.`,
      { details: [...refused].map(([path, message]) => ({ path, message })) },
    );
  }
  tell(terminal, `${plural(done.length, 'enrollment')} written.`);
  return 0;
}

/** What becomes of steps. */
interface StepResults {
  written(step: EnrollmentStep): void;
  /** DPS finds fault with it; the others go on. */
  refused(step: EnrollmentStep, error: DpsError): void;
  /** Somebody else wrote it first. */
  overtaken(step: EnrollmentStep, error: DpsError): void;
  /** Nothing goes on. */
  stopped(): void;
}

/** Answers those that somebody else wrote first. */
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
  'only there': 'deleted  ',
};

function isChange({ action }: EnrollmentStep, prune: boolean): boolean {
  return action === 'create' || action === 'update' || (prune && action === 'only there');
}

/** Before anything is written: a webhook's URL is written whole, with its key. */
function requireKey(steps: readonly EnrollmentStep[], env: Environment): void {
  const needs = steps.some(
    (step) => (step.action === 'create' || step.action === 'update') && step.wanted.webhook !== undefined,
  );
  if (needs && webhookKey(env) === undefined) {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      'BERTH_WEBHOOK_KEY is not set: an enrollment under the policy custom holds the function key, and DPS does not give it back. See "Function key" in docs/enrollments.md.',
    );
  }
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
        webhookKey: webhookKey(env),
      });
      await dps.put(kind, id, body, undefined);
      return;
    }
    case 'update': {
      const { wanted, record } = step;
      const { kind, id, etag } = record;
      // Keys that DPS made stay only if they are sent along.
      const keeps = wanted.attestation.type === 'symmetricKey' && hasKeys(record);
      const mechanism = keeps
        ? (mechanisms.get(keyOf(record)) ?? (await dps.mechanism(kind, id)))
        : undefined;
      await dps.put(kind, id, bodyOf({ wanted, record, mechanism, webhookKey: webhookKey(env) }), etag);
      return;
    }
    case 'only there':
      await dps.delete(step.record.kind, step.record.id, step.record.etag);
      return;
    case 'unchanged':
      return;
  }
}
