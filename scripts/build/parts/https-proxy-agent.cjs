// Loaded only where HTTPS_PROXY or HTTP_PROXY names a proxy: with its log, the package takes 4 ms of a cold start.
exports.HttpsProxyAgent = class {
  constructor(...options) {
    const { HttpsProxyAgent } = require('https-proxy-agent');
    // biome-ignore lint/correctness/noConstructorReturn: callers must get an agent of Node.js.
    return new HttpsProxyAgent(...options);
  }
};
