import { dpsPlace } from '../../dps/connection.ts';
import { openDps } from '../../dps/dps.ts';
import type { DpsPort } from '../../dps/port.ts';
import { hasKeys } from '../../enroll/body.ts';
import { asksForKeys, type EnrollmentStep, keyOf, planEnrollments } from '../../enroll/plan.ts';
import type { WantedEnrollment } from '../../enroll/wanted.ts';
import type { JsonObject } from '../../json/json.ts';
import type { Environment } from '../../settings/settings.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, hidden, JSON_OUTPUT, toggle } from '../shell/inputs.ts';
import { say, sayJson, tell } from '../shell/terminal.ts';
import { countsText, planJson, sayPlan } from './enroll-text.ts';
import { FROM_ENROLLMENTS_FILE, wantedEnrollments } from './enrollments-file.ts';

const INPUTS = {
  '--dry-run': hidden(toggle('so that "berth enroll --dry-run" is the same')),
  ...FROM_ENROLLMENTS_FILE,
  ...JSON_OUTPUT,
};

/** `berth enroll plan`: what `apply` would do, field by field. Writes nothing. */
export function registerEnrollPlan(enroll: CommandGroup): void {
  enroll.command({
    name: 'plan',
    description: 'what apply would do, field by field; writes nothing',
    inputs: INPUTS,
    isDefault: true,
    run: planEnroll,
  });
}

/** What `plan` does, which `apply --dry-run` does too. */
export async function planEnroll(
  { terminal, env }: Cli,
  { file, json }: Pick<Given<typeof INPUTS>, 'file' | 'json'>,
): Promise<number> {
  const wanted = wantedEnrollments(file, env);
  const dps = openDps(dpsPlace(env));
  try {
    const { steps } = await makePlan(dps, wanted, env);
    tell(terminal, `DPS: ${dps.host}.`);
    if (json) {
      sayJson(terminal, { dps: dps.host, steps: planJson(steps) });
      return 0;
    }
    sayPlan(terminal, steps);
    say(terminal, `${countsText(steps)}.`);
    return 0;
  } finally {
    await dps.close();
  }
}

/** The key of the webhook that enrollments hold; undefined: no setting says it. */
export function webhookKey(env: Environment): string | undefined {
  return env.BERTH_WEBHOOK_KEY || undefined;
}

/** What is to be done, and the keys that DPS made and that must be sent along. */
export interface Planned {
  readonly steps: readonly EnrollmentStep[];
  readonly mechanisms: ReadonlyMap<string, JsonObject>;
}

/** Reads every enrollment of DPS, and compares. */
export async function makePlan(
  dps: DpsPort,
  wanted: readonly WantedEnrollment[],
  env: Environment,
): Promise<Planned> {
  const records = [...(await dps.list('group')), ...(await dps.list('individual'))];
  const there = new Map(records.map((record) => [keyOf(record), record]));
  const mechanisms = new Map<string, JsonObject>();
  for (const each of wanted) {
    const record = there.get(keyOf(each));
    if (record !== undefined && asksForKeys(each) && hasKeys(record)) {
      mechanisms.set(keyOf(each), await dps.mechanism(each.kind, each.id));
    }
  }
  return {
    steps: planEnrollments({ wanted, records, mechanisms, webhookKey: webhookKey(env) }),
    mechanisms,
  };
}
