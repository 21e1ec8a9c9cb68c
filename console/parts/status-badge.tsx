import { statusWords } from '../words/statuses.ts';
import { Icon, statusIcon } from './icons.tsx';
import { Term } from './term.tsx';

/** A status of a twin or a property: icon, word and colour, with its meaning. */
export function StatusBadge({ status }: { readonly status: string }) {
  const { label, meaning } = statusWords(status);
  return (
    <Term plain explain={meaning}>
      <span class={`badge status-${status}`}>
        <Icon name={statusIcon(status)} />
        {label}
      </span>
    </Term>
  );
}

/** A state that is not one of a twin: `good`, `warn`, `bad` or `idle`. */
export function Badge({
  tone,
  children,
  explain,
}: {
  readonly tone: 'good' | 'warn' | 'bad' | 'idle' | 'info';
  readonly children: preact.ComponentChildren;
  readonly explain?: string | undefined;
}) {
  const badge = <span class={`badge tone-${tone}`}>{children}</span>;
  return explain === undefined ? (
    badge
  ) : (
    <Term plain explain={explain}>
      {badge}
    </Term>
  );
}
