import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

/** A part of a page on its own surface, with a heading. */
export function Section({
  title,
  note,
  aside,
  children,
  flush = false,
}: {
  readonly title: string;
  /** One sentence on what is shown. */
  readonly note?: ComponentChildren;
  /** Controls next to the heading. */
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
  /** Without space around the content: for tables. */
  readonly flush?: boolean;
}) {
  const id = useId();
  return (
    <section class={flush ? 'section flush' : 'section'} aria-labelledby={id}>
      <header class="section-head">
        <div>
          <h2 id={id}>{title}</h2>
          {note !== undefined && <p class="note">{note}</p>}
        </div>
        {aside !== undefined && <div class="section-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** What a list says where it has nothing: why, and what to do. */
export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <p class="muted">{children}</p>}
    </div>
  );
}

/** What stands for content that has not come yet. */
export function Loading({ what }: { readonly what: string }) {
  return (
    <div class="empty" role="status">
      <p class="muted">Reading {what} …</p>
    </div>
  );
}

/** The heading of a page. */
export function PageHead({
  title,
  lead,
  aside,
}: {
  readonly title: ComponentChildren;
  readonly lead?: ComponentChildren;
  readonly aside?: ComponentChildren;
}) {
  return (
    <header class="page-head">
      <div>
        <h1>{title}</h1>
        {lead !== undefined && <p class="lead">{lead}</p>}
      </div>
      {aside !== undefined && <div class="page-aside">{aside}</div>}
    </header>
  );
}
