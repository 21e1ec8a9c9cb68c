// Writes the pictures of the console in docs/images: `npm run screenshots`. `npm run screenshots -- edge rollouts`
// writes only those of these pages, and needs two minutes.
// It starts the local stack, waits until there is something to see, and shows one device that refuses a value.
import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { findBrowser, launchBrowser, NO_BROWSER } from '../test/console/browser.ts';
import { EDGE, PICKY, withRollout, withSensor } from '../test/console/changed-fleets.ts';
import { startStack } from '../test/console/running-stack.ts';
import { BUNDLES, serveBundles } from '../test/support/run/bundles.ts';

const FOLDER = 'docs/images';
const DEVICES = 20;
/** So long the stack runs before the first picture: charts need some minutes. */
const WARM_UP_MS = 8 * 60_000;

const PAGES = [
  { name: 'fleet', fragment: '#/fleet', shows: 'contoso-weu' },
  { name: 'device', fragment: `#/devices/${PICKY}`, shows: 'sendDataInterval' },
  { name: 'policies', fragment: '#/policies', shows: 'battery-saver' },
  { name: 'attention', fragment: '#/attention', shows: 'Twins that Berth' },
  { name: 'edge', fragment: `#/devices/${EDGE}`, shows: 'tempSensor' },
  { name: 'rollouts', fragment: '#/rollouts', shows: 'battery-saver' },
] as const;
/** Pages without a chart, and without the device that refuses a value. */
const QUICK: readonly string[] = ['edge', 'rollouts'];
const QUICK_WARM_UP_MS = 90_000;
const SIZES = [
  { suffix: '', width: 1280, height: 800 },
  { suffix: '-narrow', width: 390, height: 844 },
] as const;

async function main(): Promise<void> {
  const file = findBrowser();
  if (file === undefined) throw new Error(NO_BROWSER);
  mkdirSync(FOLDER, { recursive: true });
  const chosen = process.argv.slice(2);
  const pages = PAGES.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
  if (pages.length === 0) throw new Error(`There is no page ${chosen.join(' or ')}.`);
  const isQuick = pages.every(({ name }) => QUICK.includes(name));
  const bundles = await serveBundles();
  process.env[BUNDLES] = bundles.url;
  const stack = await startStack(DEVICES, (fleet) => withSensor(withRollout(fleet)));
  const browser = await launchBrowser(file);
  try {
    await delay(isQuick ? QUICK_WARM_UP_MS : WARM_UP_MS);
    if (!isQuick)
      await stack.until<{ readonly twins: readonly { readonly status: string }[] }>(
        `api/devices/${PICKY}`,
        ({ twins }) => twins.some(({ status }) => status === 'rejected'),
      );
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const { suffix, width, height } of SIZES) {
        const page = await browser.newPage({ viewport: { width, height }, colorScheme });
        for (const { name, fragment, shows } of pages) {
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
    await bundles.close();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
