/** How much of a limit is used, or how near a goal is: a bar with the numbers next to it. */
export function Meter({
  label,
  part,
  text,
  isGoal = false,
}: {
  readonly label: string;
  readonly part: number;
  readonly text: string;
  /** A full bar is good. Else, a bar from 80 % on is marked. */
  readonly isGoal?: boolean;
}) {
  const shown = Math.max(0, Math.min(1, part));
  return (
    <div class="meter-cell">
      <div class="meter" role="img" aria-label={`${label}: ${text}`}>
        <div
          class={shown >= 0.8 && !isGoal ? 'meter-fill high' : 'meter-fill'}
          style={{ width: `${shown * 100}%` }}
        />
      </div>
      <span class="muted number">{text}</span>
    </div>
  );
}
