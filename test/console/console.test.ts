import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { FUNCTION_KEYS } from '../../local/keys.ts';
import { eventually } from '../support/eventually.ts';
import { findBrowser, launchBrowser, NO_BROWSER } from './browser.ts';
import { EDGE, PICKY, withRollout, withSensor } from './changed-fleets.ts';
import { type RunningStack, startStack } from './running-stack.ts';

const DEVICES = 8;
const AXE = readFileSync(createRequire(__filename).resolve('axe-core/axe.min.js'), 'utf8');

const browserFile = findBrowser();
if (browserFile === undefined) {
  if (process.env.CI) throw new Error(NO_BROWSER);
  process.stderr.write(`${NO_BROWSER} They are skipped.\n`);
}
const describeInBrowser = browserFile === undefined ? describe.skip : describe;

let stack: RunningStack;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** What went wrong on the page, and what it has asked for. */
let troubles: string[] = [];
let requests: string[] = [];

if (browserFile !== undefined) {
  beforeAll(async () => {
    [stack, browser] = await Promise.all([
      startStack(DEVICES, (fleet) => withSensor(withRollout(fleet))),
      launchBrowser(browserFile),
    ]);
    // An event that no hub sends, for the dead letters.
    await fetch(`${stack.control}/events`, {
      method: 'POST',
      body: JSON.stringify({
        body: Buffer.from('not json').toString('base64'),
        properties: { hubName: 'contoso-weu' },
        systemProperties: { 'iothub-connection-device-id': 'x', 'iothub-message-source': 'twinChangeEvents' },
      }),
    });
    await stack.until<{ readonly letters: readonly unknown[] }>(
      'api/dead-letters',
      ({ letters }) => letters.length > 0,
    );
  });
  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });
  beforeEach(async () => {
    troubles = [];
    requests = [];
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
    page = await context.newPage();
    // A busy machine may take long for a command.
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') troubles.push(message.text());
    });
    page.on('request', (request) => requests.push(request.url()));
  });
  afterEach(() => context.close());
}

/** The pages, each with something that only data of the running stack shows. */
const PAGES: readonly (readonly [fragment: string, heading: string, shows: RegExp])[] = [
  ['#/fleet', 'Fleet', /contoso-weu/],
  ['#/devices', 'Devices', /sim-0001/],
  [`#/devices/${PICKY}`, `Device ${PICKY}`, /sendDataInterval/],
  [`#/devices/${EDGE}`, `Device ${EDGE}`, /tempSensor/],
  ['#/policies', 'Policies and rollouts', /battery-saver/],
  ['#/rollouts', 'Rollouts', /the least time of the stage is not over/],
  ['#/attention', 'Attention', /sim-0002|No twin needs you/],
  ['#/queue', 'Queue', /Nothing waits|contoso-/],
  ['#/dead-letters', 'Dead letters', /BERTH_EVENT_INVALID/],
  ['#/enrollments', 'Enrollments', /fleet-x509/],
  ['#/events', 'Events', /twin changed/],
];

async function open(fragment: string, origin = `${stack.control}/`): Promise<void> {
  await page.goto(`${origin}${fragment}`);
}

const main = () => page.getByRole('main');

/** What axe finds: the rule, and where. */
async function violations(): Promise<readonly string[]> {
  await page.evaluate(AXE);
  const found = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
    readonly violations: readonly {
      readonly id: string;
      readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
    }[];
  };
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary = '' }) => `${id}: ${html} ${failureSummary}`),
  );
}

describeInBrowser('the console on the running local stack', () => {
  test.each(PAGES)(
    'the page %s shows data, without an error and without a request to another origin',
    async (fragment, heading, shows) => {
      await open(fragment);

      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
      await main().getByText(shows).first().waitFor();
      expect(troubles).toEqual([]);
      expect(requests.filter((url) => !url.startsWith(stack.control))).toEqual([]);
    },
  );

  test.each(PAGES)(
    'the page %s has no accessibility violation in the light and in the dark theme, and on a screen of 390 pixels, where it fits',
    async (fragment, _, shows) => {
      await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
      await open(fragment);
      await main().getByText(shows).first().waitFor();
      expect(await page.locator('html').getAttribute('data-theme')).toBe('light');
      expect(await violations()).toEqual([]);

      await page.emulateMedia({ colorScheme: 'dark' });
      await page.locator('html[data-theme="dark"]').waitFor();
      expect(await violations()).toEqual([]);

      await page.setViewportSize({ width: 390, height: 844 });
      await page.locator('.menu-button').waitFor();
      expect(await violations()).toEqual([]);
      const wider = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await page.evaluate(wider)).toBe(0);
    },
  );

  test('an edit by another writer is corrected before the eyes of the reader, and the time line tells it', async () => {
    const { items } = (await stack.get('api/devices?status=inSync&policy=interval')) as {
      readonly items: readonly { readonly deviceId: string }[];
    };
    const deviceId = items[0]?.deviceId ?? '';
    await open(`#/devices/${deviceId}`);
    const row = page.getByRole('row', { name: /sendDataInterval/ });
    await row.waitFor();

    await row.getByRole('button', { name: /as the portal does/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Desired value, as JSON').fill('1234');
    expect(await violations()).toEqual([]);
    await dialog.getByRole('button', { name: 'Write', exact: true }).click();
    await dialog.getByText(/puts the wanted value back/).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();

    const timeLine = page.getByRole('region', { name: 'Time line' });
    await timeLine.getByText('Another writer changed sendDataInterval').waitFor();
    await timeLine
      .getByText(/Berth wrote sendDataInterval = (5000|60000)/)
      .first()
      .waitFor();
    // Not `waitForFunction`: if the page must be asked again, its content security policy forbids that.
    const shown = main().getByRole('table').first();
    await eventually(
      () => shown.textContent(),
      (text) => text?.includes('1234') === false,
    );
    expect(troubles).toEqual([]);
  });

  test('the reasons for a hub are shown as a ranking, and a device that Berth does not know says what to do', async () => {
    await open(`#/devices/${PICKY}`);
    const why = page.getByRole('region', { name: 'Where, and why' });

    const ranking = why.getByRole('list', { name: 'Hubs, the best score first' }).getByRole('listitem');
    await ranking.first().waitFor();
    expect(await ranking.count()).toBe(4);
    expect(await ranking.filter({ hasText: 'its hub' }).count()).toBe(1);
    await open('#/devices/nowhere');
    await main()
      .getByText(/device ids are case-sensitive/)
      .waitFor();
  });

  test('the page of an IoT Edge device shows each module as wanted and as it runs', async () => {
    await open(`#/devices/${EDGE}`);
    const section = page.getByRole('region', { name: 'IoT Edge' });

    const sensor = section.getByRole('row', { name: /tempSensor/ });
    await sensor.getByRole('button', { name: 'running', exact: true }).waitFor();
    await sensor.getByText('azureiotedge-simulated-temperature-sensor').first().waitFor();
    expect(await section.getByRole('row').count()).toBe(4);
    await section.getByText('Deployments, in their order: sensor.').waitFor();
    await section.getByText(/Berth applied the last manifest .*: it has no manifest yet/).waitFor();
    // The twins of the runtime have no section of their own.
    expect(
      await main()
        .getByRole('heading', { name: /Module \$edge/ })
        .count(),
    ).toBe(0);
    expect(troubles).toEqual([]);
  });

  test('the fleet shows the deployments of IoT Edge with their devices', async () => {
    await open('#/fleet');
    const section = page.getByRole('region', { name: 'IoT Edge' });

    await section.getByText('1 of 1 IoT Edge device runs what is wanted.').waitFor();
    await section.getByRole('table', { name: 'Deployments of IoT Edge' }).waitFor();
    expect(
      await section
        .getByRole('row', { name: /^sensor/ })
        .getByRole('cell')
        .nth(2)
        .textContent(),
    ).toBe('1');
  });

  test('a button pauses the fleet, the console says so, and another resumes it', async () => {
    await open('#/fleet');
    await page.getByRole('button', { name: 'Pause writes …' }).click();
    const dialog = page.getByRole('dialog');
    expect(await dialog.getByRole('button', { name: 'Pause', exact: true }).count()).toBe(0);
    await dialog.getByLabel('Reason').fill(`a "quoted" reason; it's a test`);
    await dialog.getByRole('button', { name: 'Pause', exact: true }).click();
    await dialog.getByText('Done', { exact: true }).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();

    const notice = main().getByText('Writes to the whole fleet are paused', { exact: true });
    await notice.waitFor();
    await main()
      .getByText(/it's a test/)
      .first()
      .waitFor();
    await main().getByRole('button', { name: 'Resume …' }).click();
    await page.getByLabel('Reason').fill('over');
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await page.getByText('Done', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await notice.waitFor({ state: 'detached' });
  });

  test('a rollout shows its stages and its gate, and buttons approve the next stage, pause and resume', async () => {
    await open('#/rollouts');
    const rollout = page.getByRole('region', { name: 'battery-saver' });
    const stages = rollout.getByRole('table', { name: 'Stages of battery-saver' }).getByRole('row');
    await stages
      .filter({ hasText: `deviceId != '${PICKY}'` })
      .getByText('running')
      .waitFor();
    await stages.filter({ hasText: 'all devices' }).getByText('later').waitFor();
    await rollout.getByText('The gate of battery-saver').click();
    await rollout.getByText(/at least 95 % of these devices are in sync/).waitFor();

    await rollout.getByRole('button', { name: 'Approve stage all of battery-saver' }).click();
    await page.getByLabel('Reason').fill('looks good');
    expect(await violations()).toEqual([]);
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByText('Done', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await rollout.getByText(/Stage all was approved .*: looks good/).waitFor();
    expect(await rollout.getByRole('button', { name: /^Approve/ }).count()).toBe(0);

    await rollout.getByRole('button', { name: 'Change the rollout of battery-saver' }).click();
    await page.getByLabel('Reason').fill('sensor reads low');
    await page.getByRole('dialog').locator('[data-run]').click();
    await page.getByText('Done', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await rollout.getByText(/Paused by .*: sensor reads low/).waitFor();
    await page
      .getByRole('navigation', { name: 'Pages' })
      .getByRole('link', { name: /Rollouts\s*1/ })
      .waitFor();
    expect(await violations()).toEqual([]);

    await rollout.getByRole('button', { name: 'Change the rollout of battery-saver' }).click();
    await page.getByLabel('Reason').fill('sensor is correct');
    await page.getByRole('button', { name: 'Resume', exact: true }).and(page.locator('[data-run]')).click();
    await page.getByText('Done', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await rollout.getByText(/Paused by/).waitFor({ state: 'detached' });
    expect(troubles).toEqual([]);
  });

  test('a replay of a dead letter that still cannot be read says so, and the letter stays', async () => {
    await open('#/dead-letters');
    await page.getByRole('button', { name: /^Replay dead letter/ }).click();

    await page.getByRole('button', { name: 'Replay', exact: true }).click();

    await page.getByText('Not done').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Show dead letter/ }).click();
    await page.getByRole('dialog').getByText('not json').waitFor();
  });

  test('the keyboard moves between rows, opens them, searches and helps', async () => {
    await open('#/devices');
    await main().getByText('sim-0001').waitFor();

    await page.keyboard.press('j');
    await page.keyboard.press('j');
    const second = await main().locator('tbody tr').nth(1).getByRole('link').first().textContent();
    expect(await page.evaluate('document.activeElement.textContent')).toBe(second);
    await page.keyboard.press('k');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: `Device ${second}` }).waitFor();

    await page.keyboard.press('/');
    await page.keyboard.type(PICKY);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: `Device ${PICKY}` }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard and words' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('t');
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
    await page.keyboard.press('g');
    await page.keyboard.press('q');
    await page.getByRole('heading', { level: 1, name: 'Queue' }).waitFor();
  });

  test('a number has an explanation for the pointer and for the keyboard', async () => {
    await open('#/fleet');
    const term = main().getByRole('button', { name: 'Twins in sync' });

    await term.focus();

    await page
      .locator('.tip')
      .getByText(/all have the wanted value/)
      .waitFor();
    await page.keyboard.press('Escape');
    expect(await page.locator('.tip').count()).toBe(0);
  });

  test('an API that does not answer is told with since when and what to do, and the page comes back by itself', async () => {
    await open('#/fleet');
    await main().getByText('contoso-weu').first().waitFor();

    await page.route('**/api/**', (route) => route.abort());

    const alert = page.getByRole('alert');
    await alert.getByText(/does not answer since \d\d:\d\d:\d\d/).waitFor();
    await alert.getByText('npm start').waitFor();
    expect(await main().getByText('contoso-weu').count()).toBeGreaterThan(0);
    await page.unroute('**/api/**');
    await alert.waitFor({ state: 'detached' });
  });
});

describeInBrowser('the console as the functions serve it', () => {
  const opened = () => `${stack.functions}/api/console`;

  test('it asks for the function key, refuses a wrong one, and keeps the right one for this tab only', async () => {
    await page.goto(opened());
    await page.getByRole('heading', { name: 'Function key' }).waitFor();
    expect(await violations()).toEqual([]);

    await page.getByLabel('Key', { exact: true }).fill('wrong');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByText(/did not accept the key/).waitFor();
    await page.getByLabel('Key', { exact: true }).fill(FUNCTION_KEYS.function);
    await page.getByRole('button', { name: 'Open' }).click();
    await main().getByText('contoso-weu').first().waitFor();

    const key = FUNCTION_KEYS.function;
    expect(await page.evaluate('JSON.stringify(sessionStorage)')).toContain(key);
    expect(
      await page.evaluate('JSON.stringify(localStorage) + document.cookie + location.href'),
    ).not.toContain(key);
    expect(requests.filter((url) => url.includes(key) || url.includes('wrong'))).toEqual([]);
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await page.getByRole('heading', { name: 'Function key' }).waitFor();
    expect(await page.evaluate('JSON.stringify(sessionStorage)')).not.toContain(key);
  });

  test('a change is a command to copy, and there are no buttons of the local stack', async () => {
    await page.goto(opened());
    await page.getByLabel('Key', { exact: true }).fill(FUNCTION_KEYS.function);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('button', { name: 'Change contoso-weu' }).click();
    const dialog = page.getByRole('dialog');

    await dialog.getByLabel('State').selectOption('cordoned');
    await dialog.getByLabel('Reason').fill("it's full");
    await dialog.getByRole('button', { name: 'Bash, zsh' }).click();

    expect(await dialog.locator('[data-command]').textContent()).toBe(
      "npx --no berth hub set contoso-weu.azure-devices.net --state cordoned --reason 'it'\\''s full' --expires 8h",
    );
    await dialog.getByRole('button', { name: 'PowerShell' }).click();
    expect(await dialog.locator('[data-command]').textContent()).toContain("--reason 'it''s full'");
    expect(await dialog.locator('[data-run]').count()).toBe(0);
    expect(await violations()).toEqual([]);
    await page.keyboard.press('Escape');
    await page.goto(`${stack.functions}/api/console/index.html#/devices/${PICKY}`);
    await page.getByRole('row', { name: /sendDataInterval/ }).waitFor();
    expect(await page.getByRole('button', { name: /as the portal does/ }).count()).toBe(0);
    expect(await page.getByRole('link', { name: 'Events' }).count()).toBe(0);
  });
});
