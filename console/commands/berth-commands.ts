import type { Argv } from './argv.ts';

/** What a pause or a resume is about. */
export type ChangeScope =
  | { readonly kind: 'fleet' }
  | { readonly kind: 'hub'; readonly host: string }
  | { readonly kind: 'policy'; readonly name: string };

/** What can be done with a rollout in stages, besides an approval. */
export type RolloutAction = 'pause' | 'resume' | 'rollback' | 'rollbackInStages' | 'abort';

/** A change that the console offers, as the `berth` command makes it. */
export type FleetChange =
  | { readonly kind: 'pause' | 'resume'; readonly scope: ChangeScope; readonly reason: string }
  | {
      readonly kind: 'setHub';
      readonly host: string;
      readonly state: string | undefined;
      readonly weight: string | undefined;
      readonly reason: string;
      readonly expires: string;
    }
  | { readonly kind: 'clearHub'; readonly host: string }
  | { readonly kind: 'resync'; readonly host: string; readonly reason: string }
  | { readonly kind: 'approve'; readonly policy: string; readonly stage: string; readonly reason: string }
  | {
      readonly kind: 'rollout';
      readonly action: RolloutAction;
      readonly policy: string;
      readonly reason: string;
    }
  | { readonly kind: 'replay'; readonly ids: readonly string[] | 'all' }
  | { readonly kind: 'purge'; readonly ids: readonly string[] };

/** The arguments of the command that makes a change. */
export function argvOf(change: FleetChange): Argv {
  switch (change.kind) {
    case 'pause':
    case 'resume':
      return [change.kind, ...scopeOptions(change.scope), '--reason', change.reason];
    case 'setHub':
      return [
        'hub',
        'set',
        change.host,
        ...(change.state === undefined ? [] : ['--state', change.state]),
        ...(change.weight === undefined ? [] : ['--weight', change.weight]),
        '--reason',
        change.reason,
        '--expires',
        change.expires,
      ];
    case 'clearHub':
      return ['hub', 'clear', change.host];
    case 'resync':
      return ['resync', '--hub', change.host, '--reason', change.reason];
    case 'approve':
      return ['rollouts', 'approve', change.policy, '--reason', change.reason];
    case 'rollout':
      return change.action === 'rollbackInStages'
        ? ['rollouts', 'rollback', change.policy, '--in-stages', '--reason', change.reason]
        : ['rollouts', change.action, change.policy, '--reason', change.reason];
    case 'replay':
      return ['dead-letters', 'replay', ...(change.ids === 'all' ? ['--all'] : change.ids)];
    case 'purge':
      return ['dead-letters', 'purge', ...change.ids, ...(change.ids.length > 1 ? ['--yes'] : [])];
  }
}

function scopeOptions(scope: ChangeScope): Argv {
  switch (scope.kind) {
    case 'fleet':
      return [];
    case 'hub':
      return ['--hub', scope.host];
    case 'policy':
      return ['--policy', scope.name];
  }
}
