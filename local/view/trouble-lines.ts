import { isObject } from '../../src/json/json.ts';
import { duration, pluralText, within } from './text.ts';

/** A pause of a hub, or of the whole fleet. */
export interface PauseLine {
  /** Undefined: the fleet. */
  readonly host: string | undefined;
  readonly author: string;
  readonly reason: string;
  readonly forMs: number;
}

/** A hub whose events are not trusted. */
export interface UntrustedLine {
  readonly host: string;
  readonly why: string;
  readonly forMs: number;
}

/** A hub whose events do not arrive (`silent`), or of which nothing is known now (`late`). */
export interface LivenessLine {
  readonly host: string;
  readonly state: string;
  readonly why: string;
  readonly forMs: number;
}

/** The faults that are set for a local hub. */
export interface FaultLine {
  readonly host: string;
  /** The values that were set, such as `throttleRate` and 1. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly outageLeftMs: number;
  /** How often they happened. */
  readonly happened: number;
}

/** Pauses, untrusted hubs, faults and dead letters. */
export interface ShownTrouble {
  readonly pauses: readonly PauseLine[];
  readonly untrusted: readonly UntrustedLine[];
  readonly liveness?: readonly LivenessLine[];
  readonly faults: readonly FaultLine[];
  /** The number of hubs. If all hubs have the same faults, one line shows them. */
  readonly hubs: number;
  readonly deadLetters:
    | {
        readonly count: number;
        readonly more: boolean;
        readonly since: string;
        /** Events beyond the limit of dead letters in an hour. They were counted and not stored. */
        readonly onlyCounted?: number;
      }
    | undefined;
}

/** One line for each pause, each untrusted hub, each set of faults, and the dead letters. */
export function troubleLines(trouble: ShownTrouble): readonly string[] {
  return [
    ...trouble.pauses.map(
      ({ host, author, reason, forMs }) =>
        `paused   ${host === undefined ? 'the fleet' : short(host)}, by ${author} ${duration(forMs)} ago: ${reason}`,
    ),
    ...trouble.untrusted.map(
      ({ host, why, forMs }) => `reads    ${short(host)}: events not trusted for ${duration(forMs)}: ${why}`,
    ),
    ...(trouble.liveness ?? []).map(
      ({ host, state, why, forMs }) => `${state.padEnd(8)} ${short(host)}, for ${duration(forMs)}: ${why}`,
    ),
    ...faultLines(trouble),
    ...letterLines(trouble.deadLetters),
  ].map(within);
}

/** The first part of a host name, which is unique in a fleet file. */
function short(host: string): string {
  return host.split('.', 1)[0] ?? host;
}

function faultLines({ faults, hubs }: ShownTrouble): readonly string[] {
  const byText = new Map<string, FaultLine[]>();
  for (const fault of faults) {
    const text = faultText(fault);
    if (text !== '') byText.set(text, [...(byText.get(text) ?? []), fault]);
  }
  return [...byText].flatMap(([text, same]) => {
    if (same.length > 1 && same.length === hubs) return [`faults   every hub: ${text}${countText(same)}`];
    return same.map((fault) => `faults   ${short(fault.host)}: ${text}${countText([fault])}`);
  });
}

/** The active faults. A past outage and a past failover are not active. */
function faultText({ settings, outageLeftMs }: FaultLine): string {
  const { seed: _, outageMs: __, failover: ___, ...rates } = settings;
  return [
    ...(outageLeftMs > 0 ? [`outage for ${duration(outageLeftMs)} more`] : []),
    ...settingTexts(rates),
  ].join(', ');
}

/** @example { throttleRate: 1, edge: { share: 1, offline: true } } → ['throttleRate 1', 'edge share 1', 'edge offline'] */
function settingTexts(settings: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    if (isObject(value)) return settingTexts(value).map((text) => `${name} ${text}`);
    if (value === true) return [name];
    return value ? [`${name} ${value}`] : [];
  });
}

function countText(faults: readonly FaultLine[]): string {
  const happened = faults.reduce((sum, fault) => sum + fault.happened, 0);
  return happened === 0 ? '' : ` (happened ${pluralText(happened, 'time')})`;
}

function letterLines(letters: ShownTrouble['deadLetters']): readonly string[] {
  if (letters === undefined) return [];
  const { count, more, since, onlyCounted = 0 } = letters;
  const number = more ? `over ${count} dead` : `${count} dead`;
  return [
    ...(count === 0 ? [] : [`letters  ${number} since ${since}: npx --no berth dead-letters list`]),
    ...(onlyCounted === 0
      ? []
      : [
          `letters  ${pluralText(onlyCounted, 'more event')} only counted: npx --no berth dead-letters counts`,
        ]),
  ];
}
