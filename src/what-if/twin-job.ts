import type { Control } from '../control/control.ts';
import { type Fleet, hostsOf, type Models } from '../fleet/fleet.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { compile } from './job.ts';
import type { TwinTrial } from './try-twin.ts';

/** A valid fleet file and the components of its device models, in a form that can be sent to a thread. */
export interface FleetSource {
  readonly text: string;
  readonly models: Models;
}

/** The input of a what-if run on stored twins, in a form that can be sent to a thread. */
export interface TwinJob {
  /** The fleet file to try. */
  readonly fleet: FleetSource;
  /** The fleet file to compare with; undefined: compare with the status of the last reconcile. */
  readonly against: FleetSource | undefined;
  /** The stamp of the deployment (`BERTH_STAMP`). Undefined: it reconciles all hubs of the file. */
  readonly stamp: string | undefined;
  readonly control: Control;
  readonly now: EpochMs;
  /** The most patches and problems to keep for each policy. */
  readonly first: number;
}

/** The trial of a job. @throws BerthError `BERTH_FLEET_INVALID` */
export function openTwinTrial(job: TwinJob): TwinTrial {
  const { fleet, against } = job;
  return twinTrialOf(
    job,
    compile(fleet.text, fleet.models),
    against && compile(against.text, against.models),
  );
}

/** The trial of a job whose fleet files are already compiled. */
export function twinTrialOf(
  { stamp, control, now }: TwinJob,
  fleet: Fleet,
  against: Fleet | undefined,
): TwinTrial {
  return {
    fleet,
    against,
    hosts: new Set(hostsOf(fleet, stamp)),
    untrusted: new Set(Object.keys(control.untrusted)),
    control,
    now,
  };
}
