import type { Writable } from 'node:stream';

/**
 * The output for people. A terminal can redraw the status. A file or pipe gets only new lines.
 */
export interface Screen {
  readonly isTerminal: boolean;
  /** The height of the terminal; undefined for a file or pipe. */
  readonly rows: number | undefined;
  /** Prints a permanent line. */
  line(text: string): void;
  /** Prints lines that the next status replaces. To a pipe, it prints them at most every ten seconds. */
  status(lines: readonly string[]): void;
  /** Makes the current status permanent, so that later lines follow below it. */
  settle(): void;
}

const PIPE_EVERY_MS = 10_000;

export function openScreen(
  stream: Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number },
): Screen {
  const isTerminal = stream.isTTY === true;
  let shown = 0;
  let last = { text: '', at: 0 };
  const clear = () => {
    // Moves the cursor to the first line of the status and clears everything below.
    if (shown > 0) stream.write(`\u001b[${shown}A\r\u001b[J`);
    shown = 0;
  };
  return {
    isTerminal,
    get rows() {
      return isTerminal ? stream.rows : undefined;
    },
    line(text) {
      if (isTerminal) clear();
      stream.write(`${text}\n`);
    },
    status(lines) {
      if (isTerminal) {
        const width = stream.columns ?? 80;
        clear();
        stream.write(lines.map((line) => `${line.slice(0, width - 1)}\n`).join(''));
        shown = lines.length;
        return;
      }
      const text = lines.join('\n');
      if (text === last.text || Date.now() - last.at < PIPE_EVERY_MS) return;
      last = { text, at: Date.now() };
      stream.write(`${text}\n`);
    },
    settle() {
      shown = 0;
    },
  };
}
