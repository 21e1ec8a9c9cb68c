/** Where the console runs, which decides how it reads and how changes are made. */
export type ConsoleEnvironment =
  /** Served by the control API of the local stack: no key, and changes by button. */
  | { readonly kind: 'local'; readonly api: string; readonly control: string }
  /** Served by the deployed functions: a key or a sign-in, and changes by a command to copy. */
  | { readonly kind: 'deployed'; readonly api: string };

/** The last part of the page's path where the functions serve it, as in `/api/console/index.html`. */
const DEPLOYED = /^(.*)\/console\/(?:index\.html)?$/;

/** @param path of the page's address, such as `/` or `/api/console/index.html` */
export function environmentOf(path: string): ConsoleEnvironment {
  const deployed = DEPLOYED.exec(path);
  if (deployed !== null) return { kind: 'deployed', api: deployed[1] ?? '' };
  const base = path.replace(/\/[^/]*$/, '');
  return { kind: 'local', api: `${base}/api`, control: base };
}
