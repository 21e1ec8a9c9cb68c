/** What is shown where a value is not known. */
export const NOT_KNOWN = '–';

const GROUPED = new Intl.NumberFormat('en-GB');

/** A whole number with separators: `12,500`. */
export function countText(value: number | null | undefined): string {
  return value === null || value === undefined ? NOT_KNOWN : GROUPED.format(Math.round(value));
}

const SHORT = new Intl.NumberFormat('en-US', { notation: 'compact' });

/** A number of which the size is enough: `1M`, `12K`. */
export function shortCountText(value: number): string {
  return SHORT.format(value);
}

/** A number and its noun: `1 twin`, `1,200 twins`. */
export function countedText(value: number, noun: string, nouns = `${noun}s`): string {
  return `${countText(value)} ${value === 1 ? noun : nouns}`;
}

/** A part from 0 to 1 as a percentage with at most one decimal: `33 %`, `0.4 %`; never 0 or 100 by rounding alone. */
export function shareText(part: number | null | undefined): string {
  if (part === null || part === undefined || !Number.isFinite(part)) return NOT_KNOWN;
  const percent = part * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  if (percent < 100 && percent > 99.9) return '> 99.9 %';
  const isRough = percent >= 10 && percent <= 90;
  return `${Number(percent.toFixed(isRough ? 0 : 1))} %`;
}

/** A number with as many digits as help a person: `0.2560`, `1.6`, `12`. */
export function figureText(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOT_KNOWN;
  return String(Number(value.toPrecision(digits)));
}

/** A duration in its largest unit, as `berth` writes it: `42 s`, `5 min`, `3 h`, `2 d`. */
export function spanText(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** How long ago something was, or how far ahead it is: `5 min ago`, `in 2 h`, `now`. */
export function agoText(at: number, now: number): string {
  const ms = now - at;
  if (Math.abs(ms) < 1_000) return 'now';
  return ms > 0 ? `${spanText(ms)} ago` : `in ${spanText(ms)}`;
}

/** The time of an ISO 8601 text with up to seven decimals, as ms since the epoch; undefined where it is none. */
export function timeOf(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined) return undefined;
  const time = Date.parse(text.replace(/(\.\d{3})\d+/, '$1'));
  return Number.isNaN(time) ? undefined : time;
}

/** The local time of the reader, to the second, with the day where it is not today: `14:03:10`, `27 Nov 14:03:10`. */
export function clockText(at: number, now: number, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone };
  const time = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', ...zone }).format(at);
  const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', ...zone });
  return day.format(at) === day.format(now) ? time : `${day.format(at)} ${time}`;
}

/** A sentence of Berth with each time in UTC, such as `2026-11-28T14:03:10.123Z`, in the local time of the reader. */
export function localTimesText(text: string, now: number, timeZone?: string): string {
  return text.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (time) => {
    const at = timeOf(time);
    return at === undefined ? time : clockText(at, now, timeZone);
  });
}

/** A value as JSON on one line, for a table. A long text is cut. */
export function valueText(value: unknown, longest = 80): string {
  if (value === undefined) return NOT_KNOWN;
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}

/** The short name of a hub: `contoso-weu` of `contoso-weu.azure-devices.net`. */
export function hubName(host: string): string {
  return host.split('.')[0] ?? host;
}

/** The beginning of a fleet revision, as `berth` prints it. */
export function revisionText(revision: string): string {
  return revision.slice(0, 12);
}
