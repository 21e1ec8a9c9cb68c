import { Presets, SingleBar } from 'cli-progress';
import type { Terminal } from './terminal.ts';

/** How far a long command is. */
export interface ProgressBar {
  /** How many there will be, as far as is known. */
  expect(total: number): void;
  show(done: number): void;
  end(): void;
}

const QUIET: ProgressBar = { expect: () => {}, show: () => {}, end: () => {} };

/** A bar on the terminal; nothing where there is none, as in CI. */
export function showProgress(terminal: Terminal, what: string): ProgressBar {
  return show(terminal, `{bar} {percentage} %  {value} of {total} ${what}, {eta_formatted} left`);
}

/** A count on the terminal, where nobody knows how many there will be; nothing where there is no terminal. */
export function showCount(terminal: Terminal, what: string): ProgressBar {
  return show(terminal, `{value} ${what}`);
}

function show({ err }: Terminal, format: string): ProgressBar {
  if (!err.isTTY) return QUIET;
  const bar = new SingleBar(
    {
      format,
      stream: err,
      // Nothing is changed that Ctrl-C would leave changed.
      hideCursor: false,
      linewrap: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  const start = (total: number) => {
    if (bar.isActive) bar.setTotal(total);
    else bar.start(total, 0);
  };
  return {
    expect: start,
    show(done) {
      if (!bar.isActive) start(0);
      bar.update(done);
    },
    end: () => bar.stop(),
  };
}
