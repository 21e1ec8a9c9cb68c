/** A stream for the output of the command, such as the standard output. */
type OutputStream = Pick<NodeJS.WriteStream, 'isTTY'> & {
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
};

/** What decides about the process when its output fails. */
export interface OutputGuard {
  /**
   * Called when a command begins.
   *
   * @param changes whether it changes something. It then finishes its work without output.
   */
  readonly begins: (changes: boolean) => void;
}

/**
 * Watches the output of the command. If the reader is gone, as with `| head`, a command that only reads ends at once with success. A
 * command that changes something goes on without output, and ends with its own exit code: it would otherwise stop half-way. If a write fails
 * for another reason, such as a full disk, the exit code is 1.
 *
 * @param end the process of the command
 */
export function watchOutput(
  streams: readonly OutputStream[],
  end: Pick<NodeJS.Process, 'exit' | 'exitCode' | 'once'>,
): OutputGuard {
  let mustFinish = false;
  let isLost = false;
  for (const stream of streams) {
    stream.on('error', ({ code = '', message }) => {
      const isGone = READER_GONE.has(code) || (code === 'EIO' && stream.isTTY);
      if (!isGone && !isLost) console.error(`The result cannot be written: ${message}`);
      isLost ||= !isGone;
      if (!mustFinish) end.exit(isGone ? (end.exitCode ?? 0) : 1);
    });
  }
  end.once('exit', (code) => {
    if (isLost && code === 0) end.exitCode = 1;
  });
  return {
    begins(changes) {
      mustFinish = changes;
    },
  };
}

/** The reader of a pipe is gone. A terminal that was closed gives EIO. */
const READER_GONE: ReadonlySet<string> = new Set(['EPIPE', 'ERR_STREAM_DESTROYED']);
