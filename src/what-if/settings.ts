import { type DecideInput, type Setting, settingOf } from '../allocation/decision/decide.ts';
import type { Fleet, Rule } from '../fleet/fleet.ts';

/** The most settings in memory. */
const MOST = 20_000;

/** A setting, and the input of the first device that it was made for. */
export interface KnownSetting {
  readonly setting: Setting;
  readonly input: DecideInput;
}

/** The settings of a fleet file, which devices share whose requests differ only in their ids. */
export class Settings {
  readonly #isShared: boolean;
  readonly #known = new Map<string, KnownSetting>();

  constructor({ allocation }: Fleet) {
    this.#isShared = !allocation.namesParents && !allocation.rules.some(readsId);
  }

  /**
   * @param key the same for all requests that differ only in their ids. Undefined: the request is like no other.
   * @returns undefined if the decision must be made for the device alone
   */
  of(key: string | undefined, make: () => DecideInput): KnownSetting | undefined {
    if (key === undefined || !this.#isShared) return undefined;
    const known = this.#known.get(key);
    if (known !== undefined || this.#known.size >= MOST) return known;
    const input = make();
    const made = { setting: settingOf(input), input };
    this.#known.set(key, made);
    return made;
  }
}

/** Whether a rule reads an id of the device. */
function readsId({ reads }: Rule): boolean {
  return reads.some(
    ([variable, member]) =>
      variable === 'registrationId' ||
      (variable === 'current' && (member === undefined || member === 'deviceId')),
  );
}
