import { type ComponentChildren, createContext } from 'preact';
import { useContext, useId, useRef, useState } from 'preact/hooks';

interface ShownTip {
  readonly text: string;
  readonly left: number;
  readonly top: number;
  readonly isAbove: boolean;
}

const Show = createContext<(tip: ShownTip | undefined) => void>(() => {});

/** Holds the one explanation that is shown at a time, above everything else. Escape closes it. */
export function TipLayer({ children }: { readonly children: ComponentChildren }) {
  const [tip, setTip] = useState<ShownTip | undefined>(undefined);
  return (
    <Show.Provider value={setTip}>
      {children}
      {tip !== undefined && (
        <div
          class={tip.isAbove ? 'tip above' : 'tip'}
          style={{ left: `${tip.left}px`, top: `${tip.top}px` }}
          aria-hidden="true"
        >
          {tip.text}
        </div>
      )}
    </Show.Provider>
  );
}

const WIDEST = 300;

/** A word or number with an explanation, for the pointer, the keyboard and screen readers. */
export function Term({
  children,
  explain,
  plain = false,
}: {
  readonly children: ComponentChildren;
  readonly explain: string;
  /** Without the dotted line: for badges and numbers. */
  readonly plain?: boolean;
}) {
  const show = useContext(Show);
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const open = () => {
    const box = button.current?.getBoundingClientRect();
    if (box === undefined) return;
    const left = Math.max(8, Math.min(box.left, document.documentElement.clientWidth - WIDEST - 8));
    const isAbove = box.bottom + 120 > document.documentElement.clientHeight;
    show({ text: explain, left, top: isAbove ? box.top - 6 : box.bottom + 6, isAbove });
  };
  const close = () => show(undefined);
  return (
    <>
      <button
        ref={button}
        type="button"
        class={plain ? 'term plain' : 'term'}
        aria-describedby={id}
        onMouseEnter={open}
        onMouseLeave={close}
        onFocus={open}
        onBlur={close}
        onClick={open}
        onKeyDown={(event) => {
          if (event.key === 'Escape') close();
        }}
      >
        {children}
      </button>
      <span id={id} hidden>
        {explain}
      </span>
    </>
  );
}
