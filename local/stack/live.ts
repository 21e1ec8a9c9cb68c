import { setTimeout as delay } from 'node:timers/promises';
import type { ProcessStatus, RunCommand } from '../control-api/index.ts';
import { type Addresses, toggleFaults, togglePause } from '../hotkeys/actions.ts';
import { type Hotkey, type KeyInput, listenForHotkeys } from '../hotkeys/hotkeys.ts';
import { openBrowser } from '../hotkeys/open-browser.ts';
import { footerLines } from '../view/footer.ts';
import type { LiveFeed } from '../view/live-feed.ts';
import { renderLive } from '../view/live-view.ts';
import type { Screen } from '../view/screen.ts';
import { within } from '../view/text.ts';
import type { FleetWatch } from '../watch/fleet-watch.ts';

export interface LiveOptions {
  readonly feed: LiveFeed;
  readonly screen: Screen;
  readonly input: KeyInput;
  readonly watch: FleetWatch;
  readonly addresses: Addresses;
  /** Runs the `berth` command. */
  readonly runCommand: RunCommand;
  readonly processes: () => readonly ProcessStatus[];
  /** Restarts the functions; undefined if another program runs them. */
  readonly restartFunctions: (() => void) | undefined;
  /** Stops the stack, as Ctrl-C does. */
  readonly end: () => void;
  /** Aborted when the stack stops. */
  readonly signal: AbortSignal;
}

const REDRAW_EVERY_MS = 1_000;

/** Shows the live view until the stack stops, watches the fleet file, and does what the hotkeys say. */
export async function showLive(options: LiveOptions): Promise<void> {
  const { feed, screen, input, watch, addresses, processes, signal } = options;
  let isHelp = false;
  const redraw = new Redraw();
  const stopListening = screen.isTerminal
    ? listenForHotkeys(input, (hotkey) => {
        if (hotkey === 'help') isHelp = !isHelp;
        else
          doHotkey(hotkey, options)
            .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
            .then((text) => {
              if (text !== undefined) feed.say(text);
              redraw.now();
            });
        redraw.now();
      })
    : undefined;
  watch.start();
  try {
    while (!signal.aborted) {
      const kind = stopListening === undefined ? 'lines' : isHelp ? 'help' : 'keys';
      const notice = watch.notice === undefined ? [] : [within(watch.notice), ''];
      const model = await feed.model(processes(), [...notice, ...footerLines(kind, addresses)]);
      if (signal.aborted) return;
      screen.status(renderLive(model, screen.rows));
      await redraw.wait(REDRAW_EVERY_MS, signal);
    }
  } finally {
    watch.stop();
    stopListening?.();
  }
}

/** Returns a line for the live view. */
async function doHotkey(
  hotkey: Exclude<Hotkey, 'help'>,
  { addresses, runCommand, watch, restartFunctions, end }: LiveOptions,
): Promise<string | undefined> {
  switch (hotkey) {
    case 'reload': {
      if (restartFunctions === undefined) return 'another program runs the functions: restart it';
      const change = watch.use();
      // The functions would keep the last valid file, and not be ready.
      if (change.kind === 'refused') return `not reloaded: the fleet file ${change.text}`;
      restartFunctions();
      return change.kind === 'ready'
        ? `the functions restart with the new fleet file, revision ${change.fleet.revision.slice(0, 8)}`
        : 'the functions restart with the same fleet file';
    }
    case 'console': {
      const url = `${addresses.controlUrl}/`;
      return (await openBrowser(url)) ? `opened ${url}` : `open ${url} in a browser`;
    }
    case 'pause':
      return togglePause(addresses, runCommand);
    case 'faults':
      return toggleFaults(addresses);
    case 'quit':
      end();
      return undefined;
  }
}

/** A wait that a key can end. */
class Redraw {
  #waiting = new AbortController();

  now(): void {
    this.#waiting.abort();
  }

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    await delay(ms, undefined, { signal: AbortSignal.any([signal, this.#waiting.signal]) }).catch(() => {});
    this.#waiting = new AbortController();
  }
}
