import type { Pages } from './paged.ts';

/** The buttons below a list that has more than one page. */
export function Pager({ pages, next }: { readonly pages: Pages; readonly next: string | null | undefined }) {
  if (pages.number === 1 && !next) return null;
  return (
    <nav class="pager" aria-label="Pages">
      <button type="button" class="button small" disabled={pages.number === 1} onClick={pages.back}>
        Previous
      </button>
      <span class="muted">Page {pages.number}</span>
      <button type="button" class="button small" disabled={!next} onClick={() => next && pages.forward(next)}>
        Next
      </button>
    </nav>
  );
}
