import type { RolloutStage, StagedRollout } from '../api/contract.ts';
import { countedText, shareText, spanText } from './format.ts';

export interface RolloutWords {
  readonly tone: 'good' | 'warn' | 'bad' | 'idle' | 'info';
  readonly meaning: string;
}

/** What the status of a rollout means. */
export const ROLLOUT_WORDS: Readonly<Record<StagedRollout['status'], RolloutWords>> = {
  'not begun': { tone: 'idle', meaning: 'No instance has announced this content yet.' },
  'needs approval': { tone: 'warn', meaning: 'The next stage begins only after an approval.' },
  running: { tone: 'info', meaning: 'It reaches the devices of the present stage.' },
  paused: { tone: 'warn', meaning: 'No further device gets the content. Devices that have it keep it.' },
  complete: { tone: 'good', meaning: 'Every device may have the content.' },
  aborted: { tone: 'idle', meaning: 'It was ended. Devices that have the content keep it.' },
  'rolling back': { tone: 'warn', meaning: 'Devices get back the earlier values, stage by stage.' },
  'rolled back': { tone: 'bad', meaning: 'Devices got back the earlier values. No device gets the content.' },
};

/** Which devices a stage holds: `tags.ring == 'lab'`, or `10 % of the devices`. */
export function stageHolds({ where, share }: Pick<RolloutStage, 'where' | 'share'>): string {
  if (where !== null) return where;
  return share >= 1 ? 'all devices' : `${shareText(share)} of the devices`;
}

/** What a stage must show before the next one begins, in sentences. */
export function gateRules({ gate, onFailure }: Pick<StagedRollout, 'gate' | 'onFailure'>): readonly string[] {
  return [
    `A stage is done when its least time is over, ${countedText(gate.sample, 'result')} are there (or those of all devices that take part), and at least ${shareText(gate.inSync)} of these devices are in sync.`,
    `The rollout fails if more than ${shareText(gate.rejected)} of the devices with a result reject the content or are lost. Then it ${onFailure === 'pause' ? 'pauses' : 'rolls back'}.`,
    `A device is lost if it shows no sign of life for ${spanText(gate.deadlineMs)} after its first write.`,
  ];
}

/** What the rollout waits for, or why it does not go on; empty if there is nothing to wait for. */
export function rolloutWaits(rollout: StagedRollout): string {
  const { status, end, pause, waitsFor, gateWaits, stage } = rollout;
  if (end !== null) return `By ${end.author}: ${end.reason}`;
  if (pause !== null) return `Paused by ${pause.author}: ${pause.reason}`;
  if (waitsFor !== null) return `Stage ${waitsFor.stage} needs an approval: ${waitsFor.why}.`;
  if (gateWaits !== null && stage !== null) return `Stage ${stage.name} is not done: ${gateWaits}.`;
  if (status === 'running')
    return 'The gate of the present stage passes. The next stage begins within two minutes.';
  return '';
}

/** Whether the rollout goes on only after a person has decided. */
export function needsPerson({ status }: Pick<StagedRollout, 'status'>): boolean {
  return status === 'needs approval' || status === 'paused';
}

/** The devices of all stages together. */
export function rolloutTotals({ stages }: Pick<StagedRollout, 'stages'>): {
  readonly all: number;
  readonly reached: number;
  readonly inSync: number;
} {
  const sum = (of: (stage: RolloutStage) => number) => stages.reduce((total, each) => total + of(each), 0);
  const reached = sum((stage) => stage.reached);
  return { all: reached + sum(({ waiting }) => waiting), reached, inSync: sum(({ inSync }) => inSync) };
}
