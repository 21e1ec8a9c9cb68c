// The parts of undici that the functions use: its index would load 1 MB, with WebSocket, mocks and caches, and take 23 ms of a
// cold start. `request` does what that of undici 7.30 does for the options of `src/rest/exchange.ts`.
const request = require('undici/lib/api/api-request');
const { parseURL } = require('undici/lib/core/util');
const { getGlobalDispatcher } = require('undici/lib/global');

exports.Agent = require('undici/lib/dispatcher/agent');

exports.request = (url, { dispatcher = getGlobalDispatcher(), ...options }) => {
  const { origin, pathname, search } = parseURL(url);
  return request.call(dispatcher, { ...options, origin, path: `${pathname}${search}` });
};
