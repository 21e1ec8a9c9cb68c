import type { DisabledPhase } from '../../../silent-devices/disabled-device.ts';
import type { LeaveReason } from '../../../silent-devices/drain-choice.ts';
import type { DisableResult } from '../../../silent-devices/next-step.ts';
import { plural } from '../../shell/terminal.ts';
import type { NotDisabled } from './disable-device.ts';

/** Why a device is left alone, as the end of a sentence about it. */
export const LEAVE_TEXTS: Readonly<Record<LeaveReason, string>> = {
  keptOut: 'kept out with "berth forget --keep-out": Berth may store nothing about it',
  disabled: 'disabled already, not by this command',
  noRecord: 'DPS has no registration record of it, so it could never come back',
  assignedElsewhere: 'DPS has assigned it to another hub; this identity is left over',
  notAssigned: 'its last registration failed, or DPS is assigning it now',
  enrollmentDisabled: 'its enrollment is disabled, so it could never come back',
  notCustom: 'its enrollment has no custom allocation, so Berth does not choose its hub',
  neverReprovisions: 'its enrollment never reprovisions, so DPS would not move it',
  noOtherHub: 'its enrollment allows no other hub',
  notReached: 'the gradual move has not reached it yet; a drain begins a minute after it was set',
  asked: 'it was asked to move, and allocation.moves.ask.silentAfter has not passed yet',
  stayed: 'it has registered since the move reached it, and stayed: see "berth explain DEVICE"',
  triedBefore: 'an earlier run of this drain disabled it, and it did not move: --again tries it again',
  offline: 'not connected and not active within --wait: it reads its hub from DPS only when it connects',
  parentHere: 'its parent is still in this hub, and it must follow its parent',
};

/** Why a device was not disabled, although it was planned. */
export const NOT_DISABLED_TEXTS: Readonly<Record<NotDisabled, string>> = {
  registered: 'it has registered meanwhile',
  disabled: 'another writer has disabled it meanwhile',
  offline: 'it is not connected any more',
  missing: 'it has left the hub meanwhile',
  overtaken: 'another writer has changed its identity meanwhile',
  keysHidden: 'the hub does not show the keys of its identity, and an update without them would replace them',
  inAnotherRun: 'an earlier run has not finished with it',
};

const RESULT_TEXTS: Readonly<Record<DisableResult, string>> = {
  moved: 'moved to another hub',
  notDisabled: 'was not disabled',
  cameBack: 'enabled again, and connected to this hub: its firmware does not register again',
  lost: 'enabled again, and not connected since',
  leftDisabled: 'moved to another hub; its old identity is still here, disabled',
  disabledThere: 'moved to another hub, where its identity is disabled',
  changed: 'another writer has changed its identity meanwhile: Berth leaves it as it is',
};

export function resultText(result: DisableResult): string {
  return RESULT_TEXTS[result];
}

const COUNTED: Readonly<Record<DisableResult, string>> = {
  moved: 'moved',
  notDisabled: 'not disabled',
  cameBack: 'came back without moving',
  lost: 'lost',
  leftDisabled: 'moved, with an old identity left',
  disabledThere: 'disabled in the new hub',
  changed: 'changed by another writer',
};

/** The results of a wave in one sentence. @param number of the wave; 0: devices of an earlier run */
export function waveText(number: number, results: readonly DisableResult[]): string {
  const counts = (Object.keys(COUNTED) as DisableResult[]).flatMap((result) => {
    const many = results.filter((each) => each === result).length;
    return many === 0 ? [] : [`${many} ${COUNTED[result]}`];
  });
  const wave = number === 0 ? 'Devices of an earlier run' : `Wave ${number}`;
  return `${wave}: ${plural(results.length, 'device')}${counts.length === 0 ? '' : `, ${counts.join(', ')}`}.`;
}

/** What the state tables say of a device that an earlier run disabled. */
export const PHASE_TEXTS: Readonly<Record<DisabledPhase, string>> = {
  disabling: 'disabled, or about to be disabled, when a run ended',
  disabled: 'disabled now',
  enabling: 'disabled, or enabled again, when a run ended',
  enabled: 'enabled again, not seen connected yet',
  cameBack: 'enabled again and connected, without a move',
  lost: 'enabled again and not connected since',
  leftDisabled: 'moved; its old identity is disabled and can be deleted',
  disabledThere: 'moved; its identity in the new hub is disabled: enable it there',
  changed: 'left alone, because another writer changed its identity',
};
