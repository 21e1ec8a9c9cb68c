import type { Writable } from 'node:stream';

/**
 * Where text for people goes: a terminal, in which a status can be redrawn, or a file or pipe, which only
 * grows.
 */
export interface Screen {
  readonly isTerminal: boolean;
  /** One line that stays. */
  line(text: string): void;
  /** Lines that the next ones replace; on a pipe they are printed only now and then. */
  status(lines: readonly string[]): void;
  /** Leaves the status as it is, so that what follows comes below. */
  settle(): void;
}

const PIPE_EVERY_MS = 10_000;

export function openScreen(
  stream: Writable & { readonly isTTY?: boolean; readonly columns?: number },
): Screen {
  const isTerminal = stream.isTTY === true;
  let shown = 0;
  let last = { text: '', at: 0 };
  const clear = () => {
    // Up to the first line of the status, and everything below it away.
    if (shown > 0) stream.write(`\u001b[${shown}A\r\u001b[J`);
    shown = 0;
  };
  return {
    isTerminal,
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
