import type { Conditions } from '../allocation/conditions.ts';
import { finalConditions } from '../allocation/moves/moves.ts';
import { BerthError } from '../errors.ts';
import { parseFleet } from '../fleet/file/parse.ts';
import type { Fleet, Models, Rule } from '../fleet/fleet.ts';
import type { JsonValue } from '../json/json.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { DeviceTemplates } from './device-templates.ts';
import { type KnownDevice, readKnownDevice } from './known-device.ts';
import { Settings } from './settings.ts';

/** The input of a what-if run on devices, in a form that can be sent to a worker. */
export interface Job {
  /** Text of the fleet file to try. */
  readonly fleet: string;
  /** Text of the fleet file to compare with; undefined: compare with the present hubs of the devices. */
  readonly against: string | undefined;
  /**
   * Payloads of synthetic devices, used in rotation. If there are none, rules about the payload are left out.
   */
  readonly payloads: readonly JsonValue[];
  readonly isSynthetic: boolean;
  /** Lines of the devices that can be parents (`canBeParent`), where a fleet file names parents. */
  readonly parents?: readonly string[];
}

/** A compiled fleet file, with conditions under which all gradual moves are complete. */
export interface Tried {
  readonly fleet: Fleet;
  readonly conditions: Conditions;
  readonly settings: Settings;
}

/** A job with its fleet files compiled. */
export interface Trial {
  readonly tried: Tried;
  readonly against: Tried | undefined;
  readonly now: EpochMs;
  readonly payloads: readonly JsonValue[];
  /** Names of rules that are left out because synthetic devices have no values and no parents for them. */
  readonly leftOut: readonly string[];
  /** Devices that can be parents, by device id. */
  readonly parents: ReadonlyMap<string, KnownDevice>;
  readonly templates: DeviceTemplates;
}

export function openTrial({ fleet, against, payloads, isSynthetic, parents = [] }: Job, now: EpochMs): Trial {
  const isSilent = isSynthetic && payloads.length === 0;
  const isLeftOut = (rule: Rule) =>
    (isSilent && readsDevice(rule)) || (isSynthetic && rule.effect.kind === 'parent');
  const files = [compile(fleet), ...(against === undefined ? [] : [compile(against)])];
  const rules = files.flatMap(({ allocation }) => allocation.rules);
  const [tried, compared] = files
    .map((file) => withoutRules(file, isLeftOut))
    .map(
      (file): Tried => ({
        fleet: file,
        conditions: finalConditions(file, now),
        settings: new Settings(file),
      }),
    );
  if (tried === undefined) throw new Error('a trial needs a fleet');
  return {
    tried,
    against: compared,
    now,
    payloads,
    templates: new DeviceTemplates(),
    leftOut: [...new Set(rules.filter(isLeftOut).map(({ name }) => name))],
    parents: new Map(
      parents.flatMap((line) => {
        const device = readKnownDevice(line);
        return device === undefined ? [] : [[device.deviceId, device] as const];
      }),
    ),
  };
}

/** The fleet of a text. @throws BerthError `BERTH_FLEET_INVALID` */
export function compile(text: string, models?: Models): Fleet {
  const parsed = parseFleet(text, models);
  if (parsed.ok) return parsed.fleet;
  throw new BerthError('BERTH_FLEET_INVALID', 'The fleet file is not valid.', { details: parsed.problems });
}

function withoutRules(fleet: Fleet, isLeftOut: (rule: Rule) => boolean): Fleet {
  const rules = fleet.allocation.rules.filter((rule) => !isLeftOut(rule));
  return { ...fleet, allocation: { ...fleet.allocation, rules } };
}

/** Whether a rule reads values that only a real device has. */
function readsDevice({ reads }: Rule): boolean {
  return reads.some(([variable]) => variable === 'payload' || variable === 'attestation');
}
