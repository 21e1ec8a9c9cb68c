import { useEffect, useState } from 'preact/hooks';
import { deviceHref } from '../../address/route.ts';
import { useBerth } from '../../api/berth.ts';
import { Icon } from '../../parts/icons.tsx';
import { Empty, PageHead, Section } from '../../parts/section.tsx';
import { At } from '../../parts/time.tsx';
import {
  FEED_ICONS,
  FEED_KINDS,
  type FeedKind,
  feedWords,
  type ShownEvent,
  type ShownEvents,
  withNews,
} from './feed.ts';

const EVERY_MS = 2_000;

/** Local only: twin events, telemetry, registrations and faults as they happen. */
export function EventsPage() {
  const [isPaused, setIsPaused] = useState(false);
  const [hidden, setHidden] = useState<readonly FeedKind[]>([]);
  const items = useFeed(isPaused);
  const shown = items.filter(({ kind }) => !hidden.includes(kind));
  const toggle = (kind: FeedKind) =>
    setHidden(hidden.includes(kind) ? hidden.filter((each) => each !== kind) : [...hidden, kind]);
  return (
    <>
      <PageHead
        title="Events"
        lead="What happens in the local Azure IoT, every two seconds. Telemetry is counted by hub and second."
        aside={
          <button type="button" class="button" aria-pressed={isPaused} onClick={() => setIsPaused(!isPaused)}>
            {isPaused ? 'Continue' : 'Pause the feed'}
          </button>
        }
      />
      <fieldset class="filters">
        <legend class="visually-hidden">Kinds of events</legend>
        {(Object.keys(FEED_KINDS) as FeedKind[]).map((kind) => (
          <label key={kind} class="check">
            <input type="checkbox" checked={!hidden.includes(kind)} onChange={() => toggle(kind)} />
            {FEED_KINDS[kind]}
          </label>
        ))}
      </fieldset>
      <Section title="Feed" flush>
        {shown.length === 0 ? (
          <Empty title="Nothing has happened yet.">
            Edit a twin, register a device, or set a fault, and it appears here.
          </Empty>
        ) : (
          <ol class="feed">
            {shown.map((item) => (
              <FeedRow key={item.n} item={item} />
            ))}
          </ol>
        )}
      </Section>
    </>
  );
}

function FeedRow({ item }: { readonly item: ShownEvent }) {
  const { deviceId, title, detail } = feedWords(item);
  return (
    <li class={`feed-item ${item.kind}`} data-row tabIndex={-1}>
      <Icon name={FEED_ICONS[item.kind]} />
      <At at={item.at} />
      <span class="feed-device">
        {deviceId === undefined ? (
          <span class="muted">{FEED_KINDS[item.kind]}</span>
        ) : (
          <a data-row-link href={deviceHref(deviceId)}>
            {deviceId}
          </a>
        )}
      </span>
      <span class="feed-text">
        {title} <span class="muted">{detail}</span>
      </span>
    </li>
  );
}

/** The last items, the newest first. The feed stands still while the page is hidden or paused. */
function useFeed(isPaused: boolean): readonly ShownEvent[] {
  const { environment, client } = useBerth();
  const [items, setItems] = useState<readonly ShownEvent[]>([]);
  const [after, setAfter] = useState<number | undefined>(undefined);
  useEffect(() => {
    if (environment.kind !== 'local' || isPaused) return undefined;
    let isOver = false;
    const ask = async () => {
      if (document.visibilityState === 'hidden') return;
      const query = after === undefined ? '' : `?after=${after}`;
      const answer = await client.get(`${environment.control}/events/feed${query}`);
      if (isOver || answer.kind !== 'ok') return;
      const page = answer.body as ShownEvents;
      if (page.items.length > 0) setItems((before) => withNews(before, page.items));
      setAfter(page.next);
    };
    if (after === undefined) void ask();
    const timer = setInterval(() => void ask(), EVERY_MS);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [client, environment, isPaused, after]);
  return items;
}
