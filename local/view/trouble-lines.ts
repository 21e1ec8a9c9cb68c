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

/** The faults that a local hub has been asked to have. */
export interface FaultLine {
  readonly host: string;
  /** As they were set, such as `throttleRate` and 1. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly outageLeftMs: number;
  /** How often they have struck. */
  readonly struck: number;
}

/** Whatever is not as on a calm day. */
export interface ShownTrouble {
  readonly pauses: readonly PauseLine[];
  readonly untrusted: readonly UntrustedLine[];
  readonly faults: readonly FaultLine[];
  /** How many hubs there are: faults that all of them have are told in one line. */
  readonly hubs: number;
  readonly deadLetters:
    | {
        readonly count: number;
        readonly more: boolean;
        readonly since: string;
        /** Beyond the hour's cap, so that they are not kept. */
        readonly onlyCounted?: number;
      }
    | undefined;
}

/** A line for each thing that is paused, not trusted, made to fail, or could not be read. None on a calm day. */
export function troubleLines(trouble: ShownTrouble): readonly string[] {
  return [
    ...trouble.pauses.map(
      ({ host, author, reason, forMs }) =>
        `paused   ${host === undefined ? 'the fleet' : short(host)}, by ${author} ${duration(forMs)} ago: ${reason}`,
    ),
    ...trouble.untrusted.map(
      ({ host, why, forMs }) =>
        `reads    ${short(host)}: its events are not trusted since ${duration(forMs)}: ${why}`,
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
  const told = new Map<string, FaultLine[]>();
  for (const fault of faults) {
    const text = faultText(fault);
    if (text !== '') told.set(text, [...(told.get(text) ?? []), fault]);
  }
  return [...told].flatMap(([text, same]) => {
    if (same.length > 1 && same.length === hubs) return [`faults   every hub: ${text}${struckText(same)}`];
    return same.map((fault) => `faults   ${short(fault.host)}: ${text}${struckText([fault])}`);
  });
}

/** What is in force now: an outage that is over, and a failover that has been, are not. */
function faultText({ settings, outageLeftMs }: FaultLine): string {
  const { seed: _, outageMs: __, failover: ___, ...rates } = settings;
  return [
    ...(outageLeftMs > 0 ? [`away for ${duration(outageLeftMs)}`] : []),
    ...Object.entries(rates).flatMap(([name, value]) => (value ? [`${name} ${value}`] : [])),
  ].join(', ');
}

function struckText(faults: readonly FaultLine[]): string {
  const struck = faults.reduce((sum, fault) => sum + fault.struck, 0);
  return struck === 0 ? '' : ` (struck ${pluralText(struck, 'time')})`;
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
          `letters  ${pluralText(onlyCounted, 'event')} more only counted: npx --no berth dead-letters counts`,
        ]),
  ];
}
