import type { CommandGroup } from '../shell/command-line.ts';
import { registerEnrollApply } from './enroll-apply.ts';
import { registerCertificate } from './enroll-certificate.ts';
import { registerEnrollPlan } from './enroll-plan.ts';
import { registerRotateKey } from './enroll-rotate.ts';
import { registerEnrollValidate } from './enroll-validate.ts';

/** `berth enroll`: commands for the enrollments of DPS. */
export function registerEnroll(berth: CommandGroup): void {
  const enroll = berth.group(
    'enroll',
    'make the enrollments of DPS match enrollments.json; needs BERTH_DPS or BERTH_DPS__hostName',
  );
  registerEnrollPlan(enroll);
  registerEnrollApply(enroll);
  registerRotateKey(enroll);
  registerEnrollValidate(enroll);
  registerCertificate(enroll);
}
