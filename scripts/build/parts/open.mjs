// Opens a browser for a sign-in by a person. The credentials of the functions never do that, so `package.json` leaves the package out.
export const openApp = undefined;
export default () => Promise.reject(new Error('An app of Azure Functions has no browser for a sign-in.'));
