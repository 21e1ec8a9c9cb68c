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
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  bar.start(1, 0);
  return {
    expect: (total) => bar.setTotal(Math.max(1, total)),
    show: (done) => bar.update(done),
    end: () => bar.stop(),
  };
}
