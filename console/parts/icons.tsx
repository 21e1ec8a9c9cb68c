import type { Status } from '../words/statuses.ts';

/** Line icons on a grid of 16, in the colour of the text. They are decoration: the words next to them say the same. */
const SHAPES = {
  check: 'M3.5 8.5l3 3 6-7',
  clock: 'M8 4.5V8l2.5 1.5M14 8A6 6 0 112 8a6 6 0 0112 0z',
  notEqual: 'M3 6h10M3 10h10M10.5 3l-5 10',
  cross: 'M4 4l8 8M12 4l-8 8',
  swap: 'M3 5.5h9l-2.5-2.5M13 10.5H4L6.5 13',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  question: 'M5.8 6a2.2 2.2 0 114 1.3c-.8.7-1.8 1.2-1.8 2.5M8 12.6v.1',
  fleet: 'M2.5 3h4.5v4.5H2.5zM9 3h4.5v4.5H9zM2.5 9.5h4.5V13H2.5zM9 9.5h4.5V13H9z',
  device: 'M4.5 2h7v12h-7zM7.5 11.7h1',
  policy: 'M3.5 2.5h9v11h-9zM6 6h4M6 8.5h4M6 11h2',
  rollout: 'M2.5 13V9.5H6V6h3.5V2.5h4M10.8 6.5l2.7-4-4.5 1',
  bell: 'M4 11V7.5a4 4 0 118 0V11l1 1.2H3zM7 14h2',
  queue: 'M2.5 4h11M2.5 8h11M2.5 12h7',
  letter: 'M2.5 4h11v8.5h-11zM2.5 4.5L8 9l5.5-4.5',
  enrollment: 'M8 8a2.5 2.5 0 100-5 2.5 2.5 0 000 5zM3 13.5c.5-3 2.5-4 5-4s4.5 1 5 4',
  events: 'M2 8h3l2-5 2.5 10L11.5 8H14',
  search: 'M7 11.5A4.5 4.5 0 107 2.5a4.5 4.5 0 000 9zM10.5 10.5L14 14',
  sun: 'M8 11a3 3 0 100-6 3 3 0 000 6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.8.8M11.8 11.8l.8.8M12.6 3.4l-.8.8M4.2 11.8l-.8.8',
  moon: 'M13 9.8A5.5 5.5 0 016.2 3 5.5 5.5 0 1013 9.8z',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  arrow: 'M3 8h9.5M9 4.5L12.5 8 9 11.5',
  pen: 'M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3z',
  copy: 'M5.5 5.5h8v8h-8zM3 10.5H2.5v-8h8V3',
  warning: 'M8 2.5L14 13H2zM8 6.5v3M8 11.4v.1',
  key: 'M9.5 6.5a3.2 3.2 0 11-1.3-2.6M7.5 8.8L2.5 13.5v-2M4.5 11.6l1 1',
  replay: 'M13 8a5 5 0 11-1.5-3.6M12 2v2.8H9.2',
  eye: 'M1.8 8S4 4 8 4s6.2 4 6.2 4-2.2 4-6.2 4-6.2-4-6.2-4zM8 9.7a1.7 1.7 0 100-3.4 1.7 1.7 0 000 3.4z',
} as const;

export type IconName = keyof typeof SHAPES;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={SHAPES[name]} />
    </svg>
  );
}

const OF_STATUS: Readonly<Record<Status, IconName>> = {
  inSync: 'check',
  pending: 'clock',
  drifted: 'notEqual',
  rejected: 'cross',
  contested: 'swap',
  suspended: 'pause',
  unknown: 'question',
};

export function statusIcon(status: string): IconName {
  return OF_STATUS[status as Status] ?? 'question';
}
