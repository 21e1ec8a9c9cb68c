import { describe, expect, test } from '@jest/globals';
import type { ApiAnswer } from '../../console/api/client.ts';
import { POLL_MS, Poller } from '../../console/api/poller.ts';

/** A poller in a world where time passes by call, and answers are given one after the other. */
function world(...answers: readonly ApiAnswer[]) {
  const asked: { readonly address: string; readonly etag: string | undefined }[] = [];
  const timers: { readonly at: number; readonly run: () => void; isOver: boolean }[] = [];
  const left = [...answers];
  let now = 1_000_000;
  let isVisible = true;
  const poller = new Poller({
    get(address, etag) {
      asked.push({ address, etag });
      return Promise.resolve(left.shift() ?? { kind: 'unchanged' });
    },
    now: () => now,
    later(run, ms) {
      const timer = { at: now + ms, run, isOver: false };
      timers.push(timer);
      return () => {
        timer.isOver = true;
      };
    },
    isVisible: () => isVisible,
  });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    poller,
    asked,
    settle,
    async pass(ms: number) {
      now += ms;
      for (const timer of timers) {
        if (timer.isOver || timer.at > now) continue;
        timer.isOver = true;
        timer.run();
      }
      await settle();
    },
    show(visible: boolean) {
      isVisible = visible;
      if (visible) poller.refresh();
    },
  };
}

const ok = (body: unknown, etag?: string): ApiAnswer => ({ kind: 'ok', body, etag });
const GONE: ApiAnswer = { kind: 'unreachable', why: 'no connection' };

describe('polling', () => {
  test('an address is asked for every five seconds, with the ETag of the answer before', async () => {
    const { poller, asked, pass, settle } = world(
      ok({ devices: 1 }, '"a"'),
      { kind: 'unchanged' },
      ok(2, '"b"'),
    );
    let calls = 0;
    poller.watch('/api/fleet', () => {
      calls += 1;
    });
    await settle();
    expect(poller.read('/api/fleet')).toMatchObject({ body: { devices: 1 }, at: 1_000_000 });

    await pass(POLL_MS - 1);
    expect(asked).toHaveLength(1);
    await pass(1);

    expect(asked.map(({ etag }) => etag)).toEqual([undefined, '"a"']);
    expect(poller.read('/api/fleet')).toMatchObject({ body: { devices: 1 }, at: 1_000_000 + POLL_MS });
    await pass(POLL_MS);
    expect(poller.read('/api/fleet').body).toBe(2);
    expect(calls).toBe(3);
  });

  test('two listeners of one address cause one request', async () => {
    const { poller, asked, settle } = world(ok(1));

    poller.watch('/api/fleet', () => {});
    poller.watch('/api/fleet', () => {});
    await settle();

    expect(asked).toHaveLength(1);
  });

  test('nothing is asked for after the last listener has left', async () => {
    const { poller, asked, pass, settle } = world(ok(1));
    const leave = poller.watch('/api/fleet', () => {});
    await settle();

    leave();
    await pass(10 * POLL_MS);

    expect(asked).toHaveLength(1);
  });

  test('a listener that comes back soon begins with what was known', async () => {
    const { poller, settle, pass } = world(ok(1), ok(2));
    const leave = poller.watch('/api/fleet', () => {});
    await settle();
    leave();
    await pass(POLL_MS);

    poller.watch('/api/fleet', () => {});

    expect(poller.read('/api/fleet').body).toBe(1);
    await pass(100 * POLL_MS);
    expect(poller.read('/api/fleet').body).toBe(2);
  });

  test('a hidden page asks for nothing, and asks at once when it is shown', async () => {
    const { poller, asked, pass, settle, show } = world(ok(1), ok(2));
    poller.watch('/api/fleet', () => {});
    await settle();

    show(false);
    await pass(3 * POLL_MS);
    expect(asked).toHaveLength(1);
    show(true);
    await settle();

    expect(asked).toHaveLength(2);
    expect(poller.read('/api/fleet').body).toBe(2);
  });

  test('while the API does not answer, the last answer stays, with since when it is missing', async () => {
    const { poller, pass, settle } = world(ok(1), GONE, GONE, ok(2));
    poller.watch('/api/fleet', () => {});
    await settle();

    await pass(POLL_MS);
    await pass(POLL_MS);

    expect(poller.read('/api/fleet').body).toBe(1);
    expect(poller.connection).toEqual({
      kind: 'unreachable',
      since: 1_000_000 + POLL_MS,
      why: 'no connection',
    });
    await pass(POLL_MS);
    expect(poller.connection).toEqual({ kind: 'connected', at: 1_000_000 + 3 * POLL_MS });
  });

  test('a refusal of Berth is no lost connection', async () => {
    const problem = { code: 'BERTH_DEVICE_UNKNOWN', message: 'unknown', status: 404 };
    const { poller, settle } = world({ kind: 'refused', problem });
    poller.watch('/api/devices/x', () => {});
    await settle();

    expect(poller.read('/api/devices/x')).toMatchObject({ body: undefined, problem });
    expect(poller.connection.kind).toBe('connected');
  });

  test('a missing key and a lost sign-in are told apart', async () => {
    const { poller, pass, settle } = world({ kind: 'unauthorized' }, { kind: 'signedOut' }, ok(1));
    poller.watch('/api/fleet', () => {});
    await settle();
    expect(poller.connection).toEqual({ kind: 'unauthorized' });

    await pass(POLL_MS);
    expect(poller.connection).toEqual({ kind: 'signedOut' });

    poller.reopen();
    expect(poller.connection).toEqual({ kind: 'connecting' });
    await settle();
    expect(poller.connection.kind).toBe('connected');
  });
});
