import { Presets, SingleBar } from 'cli-progress';
import type { Terminal } from './terminal.ts';

/** How far a long command is. */
export interface Progress {
  /** How many there will be, as far as is known. */
  expect(total: number): void;
  show(done: number): void;
  end(): void;
}

const QUIET: Progress = { expect: () => {}, show: () => {}, end: () => {} };

/** A bar on the terminal; nothing where there is none, as in CI. */
export function showProgress({ err }: Terminal, what: string): Progress {
  if (!err.isTTY) return QUIET;
  const bar = new SingleBar(
    {
      format: `{bar} {percentage} %  {value} of {total} ${what}, {eta_formatted} left`,
      stream: err,
      // Nothing is changed that Ctrl-C would leave changed.
      hideCursor: false,
      linewrap: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  let isShown = false;
  return {
    expect(total) {
      if (isShown) bar.setTotal(total);
      else bar.start(total, 0);
      isShown = true;
    },
    show: (done) => bar.update(done),
    end: () => bar.stop(),
  };
}
