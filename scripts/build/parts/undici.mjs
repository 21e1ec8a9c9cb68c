// The parts of undici that the functions use: its index would load 1 MB, with WebSocket, mocks and caches, and take 23 ms of CPU.
// `request` does what that of undici 7.30 does for the options of `src/rest/exchange.ts`.
import call from 'undici/lib/api/api-request.js';
import { parseURL } from 'undici/lib/core/util.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import { getGlobalDispatcher } from 'undici/lib/global.js';

export { Agent };

export function request(url, { dispatcher = getGlobalDispatcher(), ...options }) {
  const { origin, pathname, search } = parseURL(url);
  return call.call(dispatcher, { ...options, origin, path: `${pathname}${search}` });
}
