/** Set by the bundler: when this package was built, ISO 8601 in UTC. */
declare const __BERTH_BUILD__: string | undefined;

/** When this package was built. Code that was not bundled counts as older than every package. */
export const BUILD = typeof __BERTH_BUILD__ === 'string' ? __BERTH_BUILD__ : '1970-01-01T00:00:00.000Z';

/**
 * Set by the bundler: the author of the commit, as git writes it; empty outside of a git clone. In the npm package of Berth it
 * is `TO_COME` and the build time. `npm run package` of a project puts the author there.
 */
declare const __BERTH_AUTHOR__: string | undefined;

/** How the text begins that stands for an author in the npm package: `authorToCome` in scripts/build/bundle.mjs. */
const TO_COME = 'berth:author-to-come:';

/** The author of the commit that this package was made of. Undefined: not known. */
export const AUTHOR = typeof __BERTH_AUTHOR__ === 'string' ? knownAuthor(__BERTH_AUTHOR__) : undefined;

/** @param text what the bundler, or `npm run package` of a project, has put into the package. */
export function knownAuthor(text: string): string | undefined {
  return text === '' || text.startsWith(TO_COME) ? undefined : text;
}
