import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { ChangeDialog } from './change-dialog.tsx';
import type { ChangeKind } from './change-form.ts';

/** Opens the dialog of a change, or of a few that the reader chooses from. */
export function ChangeButton({
  choices,
  children,
  label,
  isPrimary = false,
}: {
  readonly choices: readonly ChangeKind[];
  readonly children: ComponentChildren;
  /** For screen readers, where the text alone does not say what is changed. */
  readonly label?: string | undefined;
  readonly isPrimary?: boolean;
}) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        class={isPrimary ? 'button small primary' : 'button small'}
        aria-label={label}
        aria-haspopup="dialog"
        onClick={() => setIsOpen(true)}
      >
        {children}
      </button>
      {isOpen && <ChangeDialog choices={choices} onClose={() => setIsOpen(false)} />}
    </>
  );
}
