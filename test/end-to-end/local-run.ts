import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** One run of the local stack as a user starts it, on free ports. */
export interface LocalRun {
  readonly process: ChildProcess;
  /** Everything that it has said to people. */
  said(): string;
  /** Resolves with the part of a line that a pattern captures, as soon as it is said. */
  says(pattern: RegExp): Promise<string>;
  /** Resolves when it has ended by itself. */
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string }>;
}

export function runLocally(bundles: string, args: readonly string[], cwd = bundles): LocalRun {
  const child = spawn(process.execPath, [join(bundles, 'local.cjs'), '--free-ports', ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let text = '';
  /** Resolves at its next words, or at its end. */
  let next = Promise.resolve();
  let resolveNext = () => {};
  const goOn = () => {
    resolveNext();
    next = new Promise((resolve) => {
      resolveNext = resolve;
    });
  };
  goOn();
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      text += chunk;
      goOn();
    });
  let isOver = false;
  child.once('close', () => {
    isOver = true;
    goOn();
  });
  return {
    process: child,
    said: () => text,
    async says(pattern) {
      for (;;) {
        const found = pattern.exec(text)?.[1];
        if (found !== undefined) return found;
        if (isOver) throw new Error(`It ended without saying ${pattern}:\n${text}`);
        await next;
      }
    },
    ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout })),
  };
}

/** Whether a process with this id runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
