/** Set by the bundler: when this package was built, ISO 8601 in UTC. */
declare const __BERTH_BUILD__: string | undefined;

/** When this package was built. Code that was not bundled counts as older than every package. */
export const BUILD = typeof __BERTH_BUILD__ === 'string' ? __BERTH_BUILD__ : '1970-01-01T00:00:00.000Z';
