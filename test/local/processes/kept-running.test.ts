import { setImmediate as soon } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { LocalLog } from '../../../local/log.ts';
import type { Child } from '../../../local/processes/child.ts';
import {
  type Clock,
  type KeepRunningOptions,
  type KeptRunning,
  keepRunning,
} from '../../../local/processes/kept-running.ts';

/** A process that ends when it is told to. */
interface FakeChild extends Child {
  end(how: string): void;
}

function fakeChild(pid: number): FakeChild {
  let end: (how: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  return { name: 'fake', pid, ended, end, send() {}, stop: async () => end('exit code 0') };
}

describe('a supervised process', () => {
  let time: number;
  let wakes: { readonly at: number; wake(): void }[];
  let children: FakeChild[];
  let said: string[];
  let kept: KeptRunning;
  const log: LocalLog = { info() {}, warn: (message) => void said.push(message), error() {} };
  const clock: Clock = {
    now: () => time,
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const end = () => {
          signal.removeEventListener('abort', end);
          resolve();
        };
        signal.addEventListener('abort', end);
        wakes.push({ at: time + ms, wake: end });
      }),
  };
  const keep = (options: Partial<KeepRunningOptions> = {}) => {
    const start = () => {
      const child = fakeChild(children.length + 1);
      children.push(child);
      return child;
    };
    kept = keepRunning({ name: 'fake', title: 'Fake', start, log, clock, ...options });
  };
  /** Lets time pass, a wait after the other. */
  const pass = async (ms: number): Promise<void> => {
    const until = time + ms;
    for (await soon(); ; await soon()) {
      const next = wakes.filter(({ at }) => at <= until).sort((left, right) => left.at - right.at)[0];
      if (next === undefined) break;
      time = next.at;
      wakes = wakes.filter((each) => each !== next);
      next.wake();
    }
    time = until;
  };

  beforeEach(() => {
    time = 0;
    wakes = [];
    children = [];
    said = [];
  });
  afterEach(() => kept.stop(0));

  test('is restarted a second after it ended, and is shown as down in between', async () => {
    keep();
    expect(kept).toMatchObject({ pid: 1, isRunning: true, restarts: 0 });

    children[0]?.end('SIGKILL');
    await pass(999);
    expect(kept).toMatchObject({ pid: undefined, isRunning: false, restarts: 0 });

    await pass(1);
    expect(kept).toMatchObject({ pid: 2, isRunning: true, restarts: 1 });
    expect(said).toEqual(['Fake ended (SIGKILL) and restarts in 1 s.']);
  });

  test('is restarted with growing delays while it ends at once, and after one second again once it has run for a while', async () => {
    keep();
    for (const waitMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      children.at(-1)?.end('exit code 1');
      await pass(waitMs - 1);
      expect(kept.isRunning).toBe(false);
      await pass(1);
      expect(kept.isRunning).toBe(true);
    }

    await pass(10_000);
    children.at(-1)?.end('exit code 1');
    await pass(1_000);

    expect(kept.isRunning).toBe(true);
  });

  test('waits while an obstacle prevents its start, logs the obstacle once, and starts when it is gone', async () => {
    let inTheWay: string | undefined = 'Port 1 is taken.';
    keep({ obstacle: async () => inTheWay });
    children[0]?.end('SIGKILL');
    await pass(20_000);
    expect(kept).toMatchObject({ isRunning: false, restarts: 0 });
    expect(said.slice(1)).toEqual(['Fake cannot start: Port 1 is taken. Berth tries again every second.']);

    inTheWay = undefined;
    await pass(1_000);

    expect(kept).toMatchObject({ pid: 2, isRunning: true, restarts: 1 });
  });

  test('is not started again after it was stopped, even during a wait', async () => {
    keep({ obstacle: async () => 'It cannot.' });
    children[0]?.end('SIGKILL');
    await pass(1_500);

    await kept.stop(0);
    await pass(60_000);

    expect(children).toHaveLength(1);
    expect(kept.isRunning).toBe(false);
  });

  test('is ended and restarted when it has responded and then does not for a minute', async () => {
    let responds = true;
    keep({ responds: async () => responds });
    await pass(20_000);
    responds = false;
    await pass(59_000);
    expect(kept).toMatchObject({ pid: 1, isRunning: true, restarts: 0 });

    await pass(7_000);

    expect(kept).toMatchObject({ pid: 2, isRunning: true, restarts: 1 });
    expect(said[0]).toBe('Fake has not responded for a minute and is ended.');
  });

  test('has all its time to respond for the first time, and a short silence has no effect', async () => {
    let responds = false;
    keep({ responds: async () => responds });
    await pass(300_000);
    responds = true;
    await pass(10_000);
    responds = false;
    await pass(30_000);
    responds = true;
    await pass(10_000);
    responds = false;
    await pass(40_000);

    expect(kept).toMatchObject({ pid: 1, isRunning: true, restarts: 0 });
    expect(said).toEqual([]);
  });

  test('is replaced by another process when it is renewed', async () => {
    keep();

    await kept.renew(0);
    await pass(1_000);

    expect(kept).toMatchObject({ pid: 2, isRunning: true, restarts: 1 });
  });
});
