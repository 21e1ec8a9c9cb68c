import type { ChangeScope, FleetChange, RolloutAction } from './berth-commands.ts';

/** A change that the reader has chosen and has not filled in yet. */
export type ChangeKind =
  | { readonly kind: 'pause' | 'resume'; readonly scope: ChangeScope }
  | { readonly kind: 'setHub'; readonly host: string }
  | { readonly kind: 'clearHub'; readonly host: string }
  | { readonly kind: 'resync'; readonly host: string }
  | { readonly kind: 'approve'; readonly policy: string; readonly stage: string }
  | { readonly kind: 'rollout'; readonly action: RolloutAction; readonly policy: string }
  | { readonly kind: 'replay'; readonly ids: readonly string[] | 'all' }
  | { readonly kind: 'purge'; readonly ids: readonly string[] };

/** What the reader types into the form of a change. */
export interface ChangeFields {
  readonly reason: string;
  readonly state: string;
  readonly weight: string;
  readonly expires: string;
}

export const EMPTY_FIELDS: ChangeFields = { reason: '', state: '', weight: '', expires: '8h' };

export interface ChangeWords {
  readonly title: string;
  /** What it does, and when it takes effect. */
  readonly effect: string;
  /** What the button says. */
  readonly button: string;
  readonly fields: readonly (keyof ChangeFields)[];
}

/** The words of a change, and the fields that it needs. */
export function changeWords(chosen: ChangeKind): ChangeWords {
  switch (chosen.kind) {
    case 'pause':
      return {
        title: `Pause writes ${scopeText(chosen.scope)}`,
        effect:
          'From 30 seconds on, Berth writes nothing there. It still reads events; corrections and rollouts wait until you resume.',
        button: 'Pause',
        fields: ['reason'],
      };
    case 'resume':
      return {
        title: `Resume writes ${scopeText(chosen.scope)}`,
        effect: 'Within a minute, Berth writes what waits, and rollouts continue from where they were.',
        button: 'Resume',
        fields: ['reason'],
      };
    case 'setHub':
      return {
        title: `Override ${chosen.host}`,
        effect:
          'Another state or weight than the fleet file has, until it expires. Every instance uses it within a minute.',
        button: 'Override',
        fields: ['state', 'weight', 'reason', 'expires'],
      };
    case 'clearHub':
      return {
        title: `Remove the override of ${chosen.host}`,
        effect: 'The hub has again what the fleet file says. Every instance uses it within a minute.',
        button: 'Remove override',
        fields: [],
      };
    case 'resync':
      return {
        title: `Resync ${chosen.host}`,
        effect:
          'Berth reads every twin of the hub again, within its budgets, and trusts its events again. Do this after a failover of the hub.',
        button: 'Resync',
        fields: ['reason'],
      };
    case 'approve':
      return {
        title: `Approve stage ${chosen.stage} of ${chosen.policy}`,
        effect: 'The stage begins within two minutes after the gate of the present stage passes.',
        button: 'Approve',
        fields: ['reason'],
      };
    case 'rollout':
      return { ...ROLLOUT_WORDS[chosen.action](chosen.policy), fields: ['reason'] };
    case 'replay':
      return {
        title: chosen.ids === 'all' ? 'Replay all dead letters' : `Replay ${letters(chosen.ids)}`,
        effect:
          'Berth decodes them again. If that works, it reads the twins within two minutes and deletes the dead letters. The others stay.',
        button: 'Replay',
        fields: [],
      };
    case 'purge':
      return {
        title: `Delete ${letters(chosen.ids)}`,
        effect: 'They are deleted for good. Their twins are not read.',
        button: 'Delete',
        fields: [],
      };
  }
}

const ROLLOUT_WORDS: Readonly<Record<RolloutAction, (policy: string) => Omit<ChangeWords, 'fields'>>> = {
  pause: (policy) => ({
    title: `Pause the rollout of ${policy}`,
    effect: 'Within 30 seconds, no further device gets the content. Devices that have it keep it.',
    button: 'Pause',
  }),
  resume: (policy) => ({
    title: `Resume the rollout of ${policy}`,
    effect:
      'It continues in its present stage within two minutes. If it had failed there, that stage does not fail again, and the next stage needs an approval.',
    button: 'Resume',
  }),
  rollback: (policy) => ({
    title: `Roll back ${policy}`,
    effect:
      'Devices get back the values from before the rollout, all at once, within the budgets of their hubs. No device gets the content until the fleet file has another one.',
    button: 'Roll back',
  }),
  rollbackInStages: (policy) => ({
    title: `Roll back ${policy} in stages`,
    effect:
      'Devices get back the values from before the rollout, stage by stage, without gates. No device gets the content until the fleet file has another one.',
    button: 'Roll back in stages',
  }),
  abort: (policy) => ({
    title: `Abort the rollout of ${policy}`,
    effect:
      'No further device gets the content until the fleet file has another one. Devices that have it keep it.',
    button: 'Abort',
  }),
};

const NO_REASON = { missing: 'Write a reason. It is kept with the change.' } as const;

/** The change, or what is missing. */
export function filledChange(
  chosen: ChangeKind,
  fields: ChangeFields,
): { readonly change: FleetChange } | { readonly missing: string } {
  const reason = fields.reason.trim();
  switch (chosen.kind) {
    case 'pause':
    case 'resume':
      return reason === '' ? NO_REASON : { change: { ...chosen, reason } };
    case 'approve':
    case 'rollout':
      return reason === '' ? NO_REASON : { change: { ...chosen, reason } };
    case 'resync':
      return reason === '' ? NO_REASON : { change: { kind: 'resync', host: chosen.host, reason } };
    case 'clearHub':
      return { change: { kind: 'clearHub', host: chosen.host } };
    case 'setHub': {
      const { state, weight, expires } = fields;
      if (state === '' && weight.trim() === '')
        return { missing: 'Choose a state, write a weight, or both.' };
      if (weight.trim() !== '' && !(Number(weight) > 0)) return { missing: 'Write a weight above 0.' };
      if (expires.trim() === '') return { missing: 'Write when it expires: 30m, 8h or 7d.' };
      if (reason === '') return NO_REASON;
      return {
        change: {
          kind: 'setHub',
          host: chosen.host,
          state: state === '' ? undefined : state,
          weight: weight.trim() === '' ? undefined : weight.trim(),
          reason,
          expires: expires.trim(),
        },
      };
    }
    case 'replay':
    case 'purge':
      return { change: chosen };
  }
}

function scopeText(scope: ChangeScope): string {
  switch (scope.kind) {
    case 'fleet':
      return 'to the whole fleet';
    case 'hub':
      return `to ${scope.host}`;
    case 'policy':
      return `by the policy ${scope.name}`;
  }
}

function letters(ids: readonly string[]): string {
  return ids.length === 1 ? 'one dead letter' : `${ids.length} dead letters`;
}
