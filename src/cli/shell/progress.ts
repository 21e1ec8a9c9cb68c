import { Presets, SingleBar } from 'cli-progress';
import type { Terminal } from './terminal.ts';

/** The progress of a long command. */
export interface ProgressBar {
  /** Sets the expected total. */
  expect(total: number): void;
  show(done: number): void;
  end(): void;
}

const QUIET: ProgressBar = { expect: () => {}, show: () => {}, end: () => {} };

/** A progress bar on the terminal; nothing without a terminal, as in CI. */
export function showProgress(terminal: Terminal, what: string): ProgressBar {
  return show(terminal, `{bar} {percentage} %  {value} of {total} ${what}, {eta_formatted} left`);
}

/** A counter on the terminal, for an unknown total; nothing without a terminal. */
export function showCount(terminal: Terminal, what: string): ProgressBar {
  return show(terminal, `{value} ${what}`);
}

function show({ err }: Terminal, format: string): ProgressBar {
  if (!err.isTTY) return QUIET;
  const bar = new SingleBar(
    {
      format,
      stream: err,
      // After Ctrl-C, a hidden cursor would stay hidden.
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
