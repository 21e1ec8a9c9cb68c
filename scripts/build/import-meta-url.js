// Injected into bundles of packages that are ES modules: a bundle is CommonJS, which has no import.meta.
import { pathToFileURL } from 'node:url';

export const importMetaUrl = pathToFileURL(__filename).href;
