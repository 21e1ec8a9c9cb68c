/** The statuses of twins, the calm ones first: the order of stacked areas and legends. */
export const STATUSES = [
  'inSync',
  'pending',
  'drifted',
  'rejected',
  'contested',
  'suspended',
  'unknown',
] as const;

/** How one twin or one owned property stands, in the words of docs/glossary.md. */
export type Status = (typeof STATUSES)[number];

export interface StatusWords {
  /** As it is shown. */
  readonly label: string;
  /** What it means. */
  readonly meaning: string;
  /** What a person can do about it. */
  readonly action: string;
}

export const STATUS_WORDS: Readonly<Record<Status, StatusWords>> = {
  inSync: {
    label: 'in sync',
    meaning: 'The device has every value that the policies want.',
    action: 'Nothing to do.',
  },
  pending: {
    label: 'pending',
    meaning: 'Berth wrote a value, and the device has not answered yet.',
    action: 'Wait. After its deadline the value is written again, or the status changes.',
  },
  drifted: {
    label: 'drifted',
    meaning: 'A desired property differs from what its policy wants.',
    action: 'Berth corrects it, unless a pause, a rollout or the mode observe holds the correction.',
  },
  rejected: {
    label: 'rejected',
    meaning: 'The device refused a value or did not answer it. Berth does not write it again.',
    action: 'Read the answer of the device. Change the policy, or correct the device.',
  },
  contested: {
    label: 'contested',
    meaning: 'Another writer keeps changing a property after Berth has corrected it.',
    action: 'Find the other writer (portal, job, configuration) and stop it, or change the policy.',
  },
  suspended: {
    label: 'suspended',
    meaning: 'Berth cannot work on the twin now: the device is disabled, or a message quota is used up.',
    action: 'Enable the device, add units to the hub, or wait until 00:00 UTC.',
  },
  unknown: {
    label: 'unknown',
    meaning: 'Berth has not read this twin yet.',
    action: 'Wait for the next run, or run a resync of the hub.',
  },
};

/** Words for any status that the API sends, a new one included. */
export function statusWords(status: string): StatusWords {
  return isStatus(status)
    ? STATUS_WORDS[status]
    : { label: status, meaning: 'This console does not know this status.', action: 'Update Berth.' };
}

export function isStatus(status: string): status is Status {
  return (STATUSES as readonly string[]).includes(status);
}

/** Why a twin has its status. Berth begins the reason with the path of the property; a sentence about the device follows. */
export function reasonText(why: string): string {
  return why.replace(/^(\S+) (?=the device )/, '$1: ');
}

/** The value of the filter `status` that finds all twins that are not in sync. */
export const NOT_IN_SYNC = 'notInSync';

/** The twins of all statuses together, and those that are not in sync. */
export function twinTotals(twins: Readonly<Partial<Record<string, number>>>): {
  readonly all: number;
  readonly notInSync: number;
} {
  const all = Object.values(twins).reduce<number>((sum, count) => sum + (count ?? 0), 0);
  return { all, notInSync: all - (twins.inSync ?? 0) };
}

/** How a policy stands in one twin, in words. */
export function policyStatusWords(status: string): string {
  if (status === 'unreached') return 'not reached by its rollout';
  if (status === 'lost') return 'no sign of life since its first write';
  if (status === 'silent') return 'silent since before its first write';
  return status === 'held' ? 'held' : statusWords(status).label;
}
