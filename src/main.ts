import { join } from 'node:path';
import { app } from '@azure/functions';
import { registerFunctions } from './functions/triggers.ts';
import { AUTHOR, BUILD } from './instance/build.ts';
import { fleetReader } from './instance/fleet-reader.ts';
import type { Instance } from './instance/instance.ts';
import { once } from './instance/once.ts';
import { WebhookState } from './instance/webhook-state.ts';

/** Background work that the first answer does not need starts this long after the start. */
const BACKGROUND_AFTER_MS = 1_000;

// The worker changes into the app's folder before it loads this file.
const options = { env: process.env, directory: process.cwd(), build: BUILD, author: AUTHOR };

const webhook = once(
  async () =>
    new WebhookState(options, {
      read: await fleetReader(options, __dirname),
      stores: async () => (await instance()).stores,
      keepReceipts: async (receipts) => (await instance()).keepReceipts(receipts),
    }),
);
let isOpened = false;
const instance = once(async (): Promise<Instance> => {
  isOpened = true;
  const whole = await import('./functions/whole.ts');
  return new whole.Instance(options, await webhook());
});

registerFunctions({
  webhook,
  instance,
  env: process.env,
  // These files lie next to the bundle, wherever that is: in the app's folder, or in node_modules.
  files: { console: join(__dirname, 'console'), openApi: __dirname },
});

app.hook.appStart(async () => {
  const opened = await webhook();
  opened.start();
  // Without a valid file, the last valid one must come from the state tables at once.
  const waitMs = opened.fleet.known === undefined ? 0 : BACKGROUND_AFTER_MS;
  setTimeout(async () => (await instance()).start(), waitMs).unref();
});
app.hook.appTerminate(async () => (isOpened ? await instance() : await webhook()).stop());
