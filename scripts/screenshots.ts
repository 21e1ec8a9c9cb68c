// Writes the pictures of the console in docs/images: `npm run build && npm run screenshots`.
// It starts the local stack, waits until there is something to see, and shows one device that refuses a value.
import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { findBrowser, launchBrowser, NO_BROWSER } from '../test/console/browser.ts';
import { startStack } from '../test/console/running-stack.ts';

const FOLDER = 'docs/images';
const DEVICES = 20;
/** So long the stack runs before the first picture: charts need some minutes. */
const WARM_UP_MS = 8 * 60_000;
/** The simulated device that refuses a value from time to time. */
const PICKY = 'sim-0002';

const PAGES = [
  { name: 'fleet', fragment: '#/fleet', shows: 'contoso-weu' },
  { name: 'device', fragment: `#/devices/${PICKY}`, shows: 'sendDataInterval' },
  { name: 'policies', fragment: '#/policies', shows: 'battery-saver' },
  { name: 'attention', fragment: '#/attention', shows: 'Twins that Berth' },
] as const;
const SIZES = [
  { suffix: '', width: 1280, height: 800 },
  { suffix: '-narrow', width: 390, height: 844 },
] as const;

async function main(): Promise<void> {
  const file = findBrowser();
  if (file === undefined) throw new Error(NO_BROWSER);
  mkdirSync(FOLDER, { recursive: true });
  const stack = await startStack(DEVICES);
  const browser = await launchBrowser(file);
  try {
    await delay(WARM_UP_MS);
    await stack.until<{ readonly twins: readonly { readonly status: string }[] }>(
      `api/devices/${PICKY}`,
      ({ twins }) => twins.some(({ status }) => status === 'rejected'),
    );
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const { suffix, width, height } of SIZES) {
        const page = await browser.newPage({ viewport: { width, height }, colorScheme });
        for (const { name, fragment, shows } of PAGES) {
          await page.goto(`${stack.control}/${fragment}`);
          await page.getByRole('main').getByText(shows).first().waitFor();
          await delay(1_500);
          // The whole page, with a navigation that is as high.
          const whole = Number(await page.evaluate('document.documentElement.scrollHeight'));
          await page.setViewportSize({ width, height: Math.max(height, whole) });
          await delay(500);
          await page.screenshot({ path: `${FOLDER}/console-${name}${suffix}-${colorScheme}.png` });
          await page.setViewportSize({ width, height });
        }
        await page.close();
      }
    }
  } finally {
    await browser.close();
    await stack.stop();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
