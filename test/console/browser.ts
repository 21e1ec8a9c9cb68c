import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

/** Where Chrome, Chromium and Edge are, as their installers put them. */
function installedBrowsers(env: NodeJS.ProcessEnv): readonly string[] {
  switch (process.platform) {
    case 'darwin':
      return [
        '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
        '/Applications/Chromium.app/Contents/MacOS/Chromium',
        '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
      ];
    case 'win32':
      return [env.PROGRAMFILES, env['PROGRAMFILES(X86)'], env.LOCALAPPDATA]
        .filter((folder) => folder !== undefined)
        .flatMap((folder) => [
          join(folder, 'Google/Chrome/Application/chrome.exe'),
          join(folder, 'Microsoft/Edge/Application/msedge.exe'),
        ]);
    default:
      return [
        // Chromium without the code of windows, as Debian has it: it takes a fifth less CPU time than the whole browser.
        'chromium-headless-shell',
        'google-chrome-stable',
        'google-chrome',
        'chromium',
        'chromium-browser',
        'microsoft-edge-stable',
      ]
        .flatMap((name) => ['/usr/bin', '/usr/local/bin', '/snap/bin'].map((folder) => `${folder}/${name}`))
        .concat('/opt/google/chrome/chrome');
  }
}

/**
 * The browser of this machine: the one that `CHROMIUM` names, else an installed one; undefined where there is none.
 *
 * @throws Error where `CHROMIUM` names no file
 */
export function findBrowser(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { CHROMIUM: named } = env;
  if (named === undefined || named === '') return installedBrowsers(env).find((file) => existsSync(file));
  if (existsSync(named)) return named;
  throw new Error(`CHROMIUM is ${JSON.stringify(named)}, and there is no such file.`);
}

export const NO_BROWSER =
  'The tests of the console need Chrome, Chromium or Edge. Install one, or set CHROMIUM to its path.';

/** Starts the browser, without its window. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  // Its sandbox does not work for root, as whom containers run.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args });
}
