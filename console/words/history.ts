import type { DeviceMoment } from '../api/contract.ts';
import { countedText, hubName, valueText } from './format.ts';
import { reasonText, statusWords } from './statuses.ts';

/** One moment of the time line of a device. */
export interface TimelineEntry {
  readonly at: string;
  readonly kind: DeviceMoment['kind'];
  readonly title: string;
  readonly detail: string;
}

/** A moment of the history in words. */
export function timelineEntry(moment: DeviceMoment): TimelineEntry {
  const { at, kind } = moment;
  switch (moment.kind) {
    case 'decision':
      return {
        at,
        kind,
        title: moment.hub === null ? 'Registration refused' : `Hub: ${hubName(moment.hub)} (${moment.how})`,
        detail: moment.why,
      };
    case 'seen':
      return { at, kind, title: `Twin created on ${hubName(moment.hub)}`, detail: of(moment) };
    case 'write': {
      const times = moment.count > 1 ? `${countedText(moment.count, 'time')} in a row; ` : '';
      return {
        at,
        kind,
        title: `Berth wrote ${moment.path} = ${valueText(moment.value, 60)}`,
        detail: `${times}policy ${moment.policy}${suffix(moment)}`,
      };
    }
    case 'change':
      return {
        at,
        kind,
        title: `Another writer changed ${moment.path}`,
        detail: `not by Berth${suffix(moment)}`,
      };
    case 'report':
      return {
        at,
        kind,
        title: `The device reported ${moment.path}`,
        detail: `its last report of it${suffix(moment)}`,
      };
    case 'status':
      return {
        at,
        kind,
        title: `Twin status: ${statusWords(moment.status).label}`,
        detail: `${reasonText(moment.why) || 'every owned property has the wanted value'}${suffix(moment)}`,
      };
  }
}

function of({ moduleId }: { readonly moduleId: string | null }): string {
  return moduleId === null ? 'the twin of the device' : `the twin of the module ${moduleId}`;
}

function suffix({ moduleId }: { readonly moduleId: string | null }): string {
  return moduleId === null ? '' : `; module ${moduleId}`;
}
