import type { CommandGroup } from '../shell/command-line.ts';
import { registerEnrollApply } from './enroll-apply.ts';
import { registerCertificate } from './enroll-certificate.ts';
import { registerEnrollCheck } from './enroll-check.ts';
import { registerEnrollExport } from './enroll-export.ts';
import { registerEnrollPlan } from './enroll-plan.ts';
import { registerRotateKey } from './enroll-rotate.ts';
import { registerEnrollValidate } from './enroll-validate.ts';
import { registerEnrollWebhooks } from './enroll-webhooks.ts';

/** `berth enroll`: commands for the enrollments of DPS. */
export function registerEnroll(berth: CommandGroup): void {
  const enroll = berth.group(
    'enroll',
    'make the enrollments of DPS match enrollments.json; needs BERTH_DPS or BERTH_DPS__hostName',
  );
  registerEnrollPlan(enroll);
  registerEnrollApply(enroll);
  registerEnrollCheck(enroll);
  registerRotateKey(enroll);
  registerEnrollExport(enroll);
  registerEnrollValidate(enroll);
  registerEnrollWebhooks(enroll);
  registerCertificate(enroll);
}
