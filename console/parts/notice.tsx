import type { ComponentChildren } from 'preact';
import { Icon } from './icons.tsx';

/** Something that the reader must know, with what to do about it. */
export function Notice({
  tone,
  title,
  children,
  action,
}: {
  readonly tone: 'info' | 'warn' | 'bad';
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly action?: ComponentChildren;
}) {
  return (
    <div class={`notice tone-${tone}`}>
      <Icon name="warning" />
      <div class="notice-text">
        <b>{title}</b>
        {children !== undefined && <div>{children}</div>}
      </div>
      {action !== undefined && <div class="notice-action">{action}</div>}
    </div>
  );
}
