/** Set by the bundler: the version in package.json. */
declare const __BERTH_VERSION__: string | undefined;

/** The version of the command. Code that was not bundled has none. */
export const VERSION = typeof __BERTH_VERSION__ === 'string' ? __BERTH_VERSION__ : '0.0.0-unbuilt';
