import { useNow } from '../api/berth.ts';
import { agoText, clockText, localTimesText, NOT_KNOWN, timeOf } from '../words/format.ts';

/** A moment as how long ago it was; the time of day is its title. */
export function Ago({ at }: { readonly at: string | number | null | undefined }) {
  const now = useNow();
  const time = typeof at === 'number' ? at : timeOf(at);
  if (time === undefined) return <span>{NOT_KNOWN}</span>;
  return (
    <time class="nowrap" dateTime={new Date(time).toISOString()} title={clockText(time, now)}>
      {agoText(time, now)}
    </time>
  );
}

/** A moment as the reader's time of day, with the day where it is another. */
export function At({ at }: { readonly at: string | number | null | undefined }) {
  const now = useNow();
  const time = typeof at === 'number' ? at : timeOf(at);
  if (time === undefined) return <span>{NOT_KNOWN}</span>;
  return (
    <time class="nowrap number" dateTime={new Date(time).toISOString()} title={agoText(time, now)}>
      {clockText(time, now)}
    </time>
  );
}

/** A sentence of Berth, with its times as the reader's time of day. */
export function LocalTimes({ text }: { readonly text: string }) {
  return <>{localTimesText(text, useNow())}</>;
}
