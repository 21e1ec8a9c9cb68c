import { LocalError } from '../errors.ts';
import { CRASHED, END, RESTARTS, type StackReady } from '../keeper/messages.ts';
import { readOptions } from '../options.ts';
import { openScreen } from '../view/screen.ts';
import { runPlain } from './plain.ts';
import { type SupervisorOptions, supervise } from './supervisor.ts';

/** The process of the stack, which `npm start` and `npm run local` keep running. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  // With --json, stdout contains only the JSON object.
  const screen = openScreen(options.json ? process.stderr : process.stdout);
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // A second Ctrl-C ends the process at once. The other processes end with it.
      if (ending.signal.aborted) process.exit(130);
      ending.abort();
    });
  }
  process.on('message', (message) => message === END && ending.abort());
  // Without its keeper, the stack ends.
  process.on('disconnect', () => ending.abort());
  try {
    const run: SupervisorOptions = {
      ...options,
      appDirectory: process.cwd(),
      bundles: __dirname,
      screen,
      input: process.stdin,
      signal: ending.signal,
      end: () => ending.abort(),
      restarts: Number(process.env[RESTARTS] ?? 0),
      onUp(ports) {
        const ready: StackReady = { type: 'ready', ports };
        if (!options.once) process.send?.(ready);
      },
      // `npm run dev` sends this message.
      onRebuilt: (listener) => process.on('message', (message) => message === 'rebuilt' && listener()),
    };
    if (options.plain) {
      await runPlain(run);
      return 0;
    }
    const result = await supervise(run);
    if (result === undefined) return options.once ? 130 : 0;
    if (options.json) console.log(JSON.stringify(result));
    else screen.line(summary(result));
    return 0;
  } catch (error) {
    if (!(error instanceof LocalError)) throw error;
    screen.line(`${error.message} [${error.code}]`);
    for (const { path, message } of error.details) screen.line(`  ${path} ${message}`);
    return 1;
  }
}

function summary({
  devices,
  twins,
  corrections,
  hubOps,
  seconds,
}: NonNullable<Awaited<ReturnType<typeof supervise>>>): string {
  const states = Object.entries(twins)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`);
  return `Done in ${seconds} s: ${[`${devices} devices`, ...states].join(', ')}; ${corrections} corrections, ${hubOps.twinReads} twin reads.`;
}

// An error that no code has caught leaves the stack in an unknown state. It is restarted with what it has stored.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    console.error(error instanceof Error ? error.stack : error);
    process.exit(CRASHED);
  });
}

main().then(
  (code) => {
    process.exitCode = code;
    if (process.connected) process.disconnect();
    // All work is done. An open keep-alive connection must not keep the process running.
    setTimeout(() => process.exit(code), 1_000).unref();
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.stack : error);
    process.exit(CRASHED);
  },
);
