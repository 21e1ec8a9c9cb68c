import { render } from 'preact';
import { BerthProvider } from './api/berth.ts';
import { ApiClient } from './api/client.ts';
import { PageClock } from './api/clock.ts';
import { environmentOf } from './api/environment.ts';
import { FunctionKey } from './api/function-key.ts';
import { Poller } from './api/poller.ts';
import { ChangeLayer } from './commands/change-layer.tsx';
import { TipLayer } from './parts/term.tsx';
import { chosenTheme, systemTheme, ThemeProvider } from './parts/theme.tsx';
import { App } from './shell/app.tsx';

// Before the first drawing, so that the page does not flash.
document.documentElement.dataset.theme = chosenTheme() ?? systemTheme();

const key = new FunctionKey(sessionStorage);
const client = new ApiClient((address, init) => fetch(address, init), key);
const poller = new Poller({
  get: (address, etag) => client.get(address, etag),
  now: () => Date.now(),
  later(run, ms) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  isVisible: () => document.visibilityState !== 'hidden',
});
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'hidden') poller.refresh();
});

const root = document.getElementById('app');
if (root !== null) {
  root.textContent = '';
  render(
    <BerthProvider
      value={{ environment: environmentOf(location.pathname), client, poller, key, clock: new PageClock() }}
    >
      <ThemeProvider>
        <TipLayer>
          <ChangeLayer>
            <App />
          </ChangeLayer>
        </TipLayer>
      </ThemeProvider>
    </BerthProvider>,
    root,
  );
}
