import { useId } from 'preact/hooks';
import { PATTERN_PATHS, type Pattern } from './patterns.ts';

/** The colour and the pattern of an area, next to its name. */
export function LegendSwatch({ color, pattern }: { readonly color: string; readonly pattern: Pattern }) {
  const id = useId();
  return (
    <svg
      class="swatch"
      width="14"
      height="14"
      viewBox="0 0 14 14"
      aria-hidden="true"
      style={{ color: `var(${color})` }}
    >
      <defs>
        <pattern id={id} width="8" height="8" patternUnits="userSpaceOnUse">
          <path d={PATTERN_PATHS[pattern]} stroke="currentColor" stroke-width="1.2" fill="none" />
        </pattern>
      </defs>
      <rect
        x="0.5"
        y="0.5"
        width="13"
        height="13"
        rx="3"
        fill="currentColor"
        opacity={pattern === 'solid' ? 0.5 : 0.2}
      />
      <rect x="0.5" y="0.5" width="13" height="13" rx="3" fill={`url(#${id})`} stroke="currentColor" />
    </svg>
  );
}
