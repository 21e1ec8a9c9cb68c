import { type ComponentChildren, createContext } from 'preact';
import { useContext, useState } from 'preact/hooks';
import { ChangeDialog } from './change-dialog.tsx';
import type { ChangeKind } from './change-form.ts';

const Open = createContext<(choices: readonly ChangeKind[]) => void>(() => {});

/**
 * Holds the dialog of a change above the page: it stays, with its result, when the change makes the button go away that
 * opened it.
 */
export function ChangeLayer({ children }: { readonly children: ComponentChildren }) {
  const [choices, setChoices] = useState<readonly ChangeKind[] | undefined>(undefined);
  return (
    <Open.Provider value={setChoices}>
      {children}
      {choices !== undefined && <ChangeDialog choices={choices} onClose={() => setChoices(undefined)} />}
    </Open.Provider>
  );
}

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
  const open = useContext(Open);
  return (
    <button
      type="button"
      class={isPrimary ? 'button small primary' : 'button small'}
      aria-label={label}
      aria-haspopup="dialog"
      onClick={() => open(choices)}
    >
      {children}
    </button>
  );
}
