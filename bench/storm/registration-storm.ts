import { EventQueue } from './event-queue.ts';

/**
 * What DPS does when a hub throttles the creation of a device. Microsoft does not document it, so a storm is
 * simulated with each of these.
 *
 * - `fails`: the registration fails at once, and the device gets the error.
 * - `asks again`: DPS calls the webhook again, with the waits that it has for a webhook that answers 503.
 * - `waits for the hub`: DPS tries only the hub again, with the same waits. It does not call the webhook again.
 */
export type WhenThrottled = 'fails' | 'asks again' | 'waits for the hub';

export interface Storm {
  /** Devices without a hub that all start at the same moment. */
  readonly devices: number;
  readonly hubs: number;
  /** Devices that one hub lets DPS create a minute: 100 for each unit of S1 (IoT Hub quotas and throttling). */
  readonly hubPerMinute: number;
  /** Registrations that DPS takes a minute (DPS quotas and limits). */
  readonly dpsPerMinute: number;
  readonly whenThrottled: WhenThrottled;
  /** Whether the webhook answers 503 to the devices that are more than the hubs can create. */
  readonly pacing: boolean;
  readonly seed: number;
}

export interface StormResult {
  /** When the last device had a hub, in minutes. */
  readonly minutes: number;
  /** When half of the devices, and 99 of 100, had a hub, in minutes. */
  readonly half: number;
  readonly nearlyAll: number;
  /** The time that the throttles allow at best, in minutes. */
  readonly bound: number;
  /** Registrations that ended with an error for the device. */
  readonly finalErrors: number;
  /** Requests of devices that DPS refused with 429. */
  readonly refusedByDps: number;
  /** Calls of DPS that a hub refused with 429. */
  readonly refusedByHubs: number;
  /** Calls of the webhook, and how many of them it answered with 503. */
  readonly webhookCalls: number;
  readonly paced: number;
}

/** Waits of DPS before its tries of a webhook that answers 429 or 5xx: 1 s, 10 s … 82 s (tutorial-custom-allocation-policies). */
const DPS_WAITS_S = Array.from({ length: 10 }, (_, index) => 1 + 9 * index);
/** Back-off of a device that registers again: doubles from the first to the longest wait, half of it random. */
const DEVICE_WAIT_S = { first: 10, longest: 600 };
const MINUTE_S = 60;
/** Conditions are written once a minute, and an instance of the function reads them every 20 seconds. */
const CONDITIONS_AGE_S = 20;

interface Try {
  readonly device: number;
  readonly kind: 'register' | 'webhook' | 'hub';
  /** Tries of DPS so far in this registration. */
  readonly tries: number;
}

/** Simulates a storm of first registrations, in virtual time. The same storm always has the same result. */
export function simulateStorm(storm: Storm): StormResult {
  const queue = new EventQueue<Try>();
  const random = seededRandom(storm.seed);
  const failures = new Uint8Array(storm.devices);
  const dps = new MinuteLimit(storm.dpsPerMinute);
  const hubs = Array.from({ length: storm.hubs }, () => new RefillingLimit(storm.hubPerMinute));
  const demand = new AdmittedShare(storm.hubs * storm.hubPerMinute);
  const done: number[] = [];
  const counts = { finalErrors: 0, refusedByDps: 0, refusedByHubs: 0, webhookCalls: 0, paced: 0 };

  const waitOfDevice = (device: number): number => {
    const failed = failures[device] ?? 0;
    failures[device] = Math.min(failed + 1, 60);
    const wait = Math.min(DEVICE_WAIT_S.longest, DEVICE_WAIT_S.first * 2 ** failed);
    return wait / 2 + (random() * wait) / 2;
  };
  const fail = (at: number, device: number): void => {
    counts.finalErrors += 1;
    queue.add(at + waitOfDevice(device), { device, kind: 'register', tries: 0 });
  };
  const tryAgain = (at: number, { device, tries }: Try, kind: 'webhook' | 'hub'): void => {
    const wait = DPS_WAITS_S[tries];
    if (wait === undefined) fail(at, device);
    else queue.add(at + wait, { device, kind, tries: tries + 1 });
  };

  for (let device = 0; device < storm.devices; device += 1) {
    // Devices that lost power together do not send their first request in the same millisecond.
    queue.add(random() * 10, { device, kind: 'register', tries: 0 });
  }
  for (let next = queue.next(); next !== undefined; next = queue.next()) {
    const { at, event } = next;
    const { device, kind } = event;
    if (kind === 'register' && !dps.take(at)) {
      counts.refusedByDps += 1;
      queue.add(at + waitOfDevice(device), event);
      continue;
    }
    if (kind !== 'hub') {
      counts.webhookCalls += 1;
      if (storm.pacing && !demand.admits(device, at)) {
        counts.paced += 1;
        tryAgain(at, event, 'webhook');
        continue;
      }
    }
    if (hubs[device % storm.hubs]?.take(at) === true) {
      done.push(at);
      continue;
    }
    counts.refusedByHubs += 1;
    if (storm.whenThrottled === 'fails') fail(at, device);
    else tryAgain(at, event, storm.whenThrottled === 'asks again' ? 'webhook' : 'hub');
  }
  const minutesAt = (share: number) => (done[Math.ceil(share * done.length) - 1] ?? 0) / MINUTE_S;
  return {
    minutes: minutesAt(1),
    half: minutesAt(0.5),
    nearlyAll: minutesAt(0.99),
    bound: boundOf(storm),
    ...counts,
  };
}

/** DPS starts with a full minute, and each hub with a full minute of its own. */
function boundOf({ devices, dpsPerMinute, hubs, hubPerMinute }: Storm): number {
  const created = hubs * hubPerMinute;
  return Math.max(0, (devices - created) / created, (devices - dpsPerMinute) / dpsPerMinute);
}

/**
 * The share of first registrations that the webhook admits. Each minute's share follows from the minute before:
 * the throttles of the hubs, divided by how many would have been admitted with a share of 1.
 */
class AdmittedShare {
  readonly #perMinute: number;
  /** Admitted registrations, and the share that was in force, by minute. */
  readonly #minutes = new Map<number, { admitted: number; share: number }>();

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  admits(device: number, at: number): boolean {
    const minute = Math.floor(at / MINUTE_S);
    const admitted = hashShare(device, minute) < this.#shareAt(at);
    const present = this.#at(minute, at);
    if (admitted) present.admitted += 1;
    return admitted;
  }

  /** The share that an instance knows at a time: from the last minute that was complete when it read the conditions. */
  #shareAt(at: number): number {
    const known = this.#minutes.get(Math.floor((at - CONDITIONS_AGE_S) / MINUTE_S) - 1);
    if (known === undefined || known.admitted === 0) return 1;
    return Math.min(1, (this.#perMinute * known.share) / known.admitted);
  }

  #at(minute: number, at: number): { admitted: number; share: number } {
    const found = this.#minutes.get(minute);
    if (found !== undefined) return found;
    const made = { admitted: 0, share: this.#shareAt(at) };
    this.#minutes.set(minute, made);
    return made;
  }
}

/** A number from 0 to 1 for a device in a minute. */
function hashShare(device: number, minute: number): number {
  return mixed(Math.imul(device + 1, 0x9e3779b1) ^ Math.imul(minute + 1, 0x85ebca6b));
}

/** A limit for each whole minute. */
class MinuteLimit {
  readonly #limit: number;
  #minute = -1;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  take(at: number): boolean {
    const minute = Math.floor(at / MINUTE_S);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#taken = 0;
    }
    if (this.#taken >= this.#limit) return false;
    this.#taken += 1;
    return true;
  }
}

/** A limit that is refilled evenly and holds at most one minute. */
class RefillingLimit {
  readonly #limit: number;
  #tokens: number;
  #at = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#tokens = limit;
  }

  take(at: number): boolean {
    this.#tokens = Math.min(this.#limit, this.#tokens + ((at - this.#at) * this.#limit) / MINUTE_S);
    this.#at = at;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** A small random generator with a seed, so that a result can be repeated. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    return mixed(state);
  };
}

/** A number from 0 to 1 that depends on every bit of an integer (the mixing step of mulberry32). */
function mixed(integer: number): number {
  let bits = Math.imul(integer ^ (integer >>> 15), integer | 1);
  bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
  return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
}
