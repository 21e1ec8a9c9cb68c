/** Set by the bundler: when this package was built, ISO 8601 in UTC. */
declare const __BERTH_BUILD__: string | undefined;

/** When this package was built. Code that was not bundled counts as older than every package. */
export const BUILD = typeof __BERTH_BUILD__ === 'string' ? __BERTH_BUILD__ : '1970-01-01T00:00:00.000Z';

/** Set by the bundler: the author of the commit, as git writes it; empty outside of a git clone. */
declare const __BERTH_AUTHOR__: string | undefined;

/** The author of the commit that this package was made of. Undefined: not known. */
export const AUTHOR =
  typeof __BERTH_AUTHOR__ === 'string' && __BERTH_AUTHOR__ !== '' ? __BERTH_AUTHOR__ : undefined;
