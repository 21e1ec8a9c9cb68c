import type { EdgeModuleRow, EdgeOfFleet } from '../api/contract.ts';

/* The statuses of IoT Edge devices and of their modules, in words. */

/** How an IoT Edge device stands. */
type DeviceKey = keyof EdgeOfFleet['devices'];
/** A device of a deployment; `unreached`: its rollout has not reached it. */
type CountKey = keyof EdgeOfFleet['deployments'][number]['devices'];

export interface EdgeWords {
  readonly label: string;
  readonly meaning: string;
  readonly tone: 'good' | 'warn' | 'bad' | 'idle' | 'info';
}

/** The calm ones first: the order of columns. */
export const EDGE_COLUMNS: readonly CountKey[] = [
  'running',
  'applied',
  'pending',
  'unreached',
  'backingOff',
  'unhealthy',
  'failed',
  'offline',
  'contested',
];

export const EDGE_WORDS: Readonly<Record<CountKey, EdgeWords>> = {
  running: { label: 'running', meaning: 'The device runs what is wanted.', tone: 'good' },
  applied: {
    label: 'applied',
    meaning: 'The hub has the manifest, and the device has not taken it yet.',
    tone: 'info',
  },
  pending: {
    label: 'pending',
    meaning: 'Berth waits to apply the manifest, or the device works on it.',
    tone: 'info',
  },
  unreached: {
    label: 'not reached',
    meaning: 'The rollout of the deployment has not reached the device, which keeps what it has.',
    tone: 'idle',
  },
  backingOff: {
    label: 'backing off',
    meaning: 'A module has ended, and the runtime waits before it starts it again.',
    tone: 'warn',
  },
  unhealthy: { label: 'unhealthy', meaning: 'The health check of a module fails.', tone: 'warn' },
  failed: {
    label: 'failed',
    meaning: 'A module does not run, or the device cannot use the manifest.',
    tone: 'bad',
  },
  offline: {
    label: 'offline',
    meaning: 'The runtime is not connected, or the device has not answered in time.',
    tone: 'warn',
  },
  contested: {
    label: 'contested',
    meaning: 'Another writer or a hub configuration sets the manifest. Berth leaves the device alone.',
    tone: 'bad',
  },
  notMatched: {
    label: 'not matched',
    meaning: 'No deployment matches the device. Berth leaves it alone.',
    tone: 'idle',
  },
};

const MODULE_WORDS: Readonly<Record<EdgeModuleRow['status'], EdgeWords>> = {
  running: { label: 'running', meaning: 'It runs the wanted image.', tone: 'good' },
  stopped: { label: 'stopped', meaning: 'It is stopped, as the deployment wants.', tone: 'good' },
  pending: { label: 'pending', meaning: 'Not as wanted yet. The runtime works on it.', tone: 'info' },
  backingOff: EDGE_WORDS.backingOff,
  unhealthy: { label: 'unhealthy', meaning: 'It runs, and its health check fails.', tone: 'warn' },
  failed: { label: 'failed', meaning: 'It has ended, and the runtime does not start it again.', tone: 'bad' },
};

/** Words for a status of a device that the API sends, a new one included. */
export function edgeWords(status: string): EdgeWords {
  return wordsIn(EDGE_WORDS, status);
}

/** The same for a status of a module. */
export function moduleWords(status: string): EdgeWords {
  return wordsIn(MODULE_WORDS, status);
}

function wordsIn(words: Readonly<Record<string, EdgeWords>>, status: string): EdgeWords {
  return Object.hasOwn(words, status)
    ? (words[status] as EdgeWords)
    : { label: status, meaning: 'This console does not know this status.', tone: 'idle' };
}

/** An image in two parts: the repository, and the tag or digest that tells versions apart. */
export function imageParts(image: string): { readonly repository: string; readonly version: string } {
  const digest = image.indexOf('@');
  const colon = image.lastIndexOf(':');
  const at = digest >= 0 ? digest : colon > image.lastIndexOf('/') ? colon : -1;
  return at < 0
    ? { repository: image, version: 'latest' }
    : { repository: image.slice(0, at), version: image.slice(at + 1) };
}

/** What the reader must know about the devices of a fleet, in one sentence. */
export function edgeHeadline(devices: Readonly<Partial<Record<DeviceKey, number>>>): string {
  const number = (status: DeviceKey) => devices[status] ?? 0;
  const all = Object.values(devices).reduce<number>((sum, count) => sum + (count ?? 0), 0);
  if (all === 0) return 'No IoT Edge device is stored yet.';
  const matched = all - number('notMatched');
  const unmatched =
    number('notMatched') === 0
      ? ''
      : ` ${number('notMatched')} more ${number('notMatched') === 1 ? 'matches' : 'match'} no deployment, so Berth leaves ${number('notMatched') === 1 ? 'it' : 'them'} alone.`;
  return `${number('running')} of ${matched} IoT Edge ${matched === 1 ? 'device' : 'devices'} ${number('running') === 1 ? 'runs' : 'run'} what is wanted.${unmatched}`;
}
