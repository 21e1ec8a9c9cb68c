import { type ComponentChildren, createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import { Icon } from './icons.tsx';

export type Theme = 'light' | 'dark';

interface ThemeSwitch {
  readonly theme: Theme;
  toggle(): void;
}

const NAME = 'berth-theme';
const Context = createContext<ThemeSwitch>({ theme: 'light', toggle() {} });

/** Shows the page in the theme of the system, or in the one that the reader has chosen. */
export function ThemeProvider({ children }: { readonly children: ComponentChildren }) {
  const [theme, setTheme] = useState<Theme>(() => chosenTheme() ?? systemTheme());
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)');
    const follow = () => setTheme(chosenTheme() ?? systemTheme());
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, []);
  const toggle = () => {
    const next = theme === 'dark' ? 'light' : 'dark';
    localStorage.setItem(NAME, next);
    // Before the next drawing: charts read the colours of the page.
    document.documentElement.dataset.theme = next;
    setTheme(next);
  };
  return <Context.Provider value={{ theme, toggle }}>{children}</Context.Provider>;
}

export function useTheme(): Theme {
  return useContext(Context).theme;
}

export function ThemeButton() {
  const { theme, toggle } = useContext(Context);
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={`Switch to the ${other} theme`}
      title={`Switch to the ${other} theme (t)`}
      data-theme-switch
      onClick={toggle}
    >
      <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
    </button>
  );
}

export function systemTheme(): Theme {
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

export function chosenTheme(): Theme | undefined {
  const chosen = localStorage.getItem(NAME);
  return chosen === 'light' || chosen === 'dark' ? chosen : undefined;
}
