import { consoleFile } from '../console/files.ts';
import { BerthError } from '../errors.ts';
import { answeringErrors, type HttpHandler, tagged } from './http-answer.ts';

/** Where the files of a package are that the functions answer. */
export interface FileFolders {
  /** The built console. */
  readonly console: string;
  /** The folder with `openapi.json`. */
  readonly openApi: string;
}

/**
 * The console. It needs no key: a browser cannot send one before it has the page, and the files hold no data. A file is read when it is requested, so that a cold start takes no longer.
 */
export function consoleFiles(folder: string): HttpHandler {
  const file = fileOf(folder, ({ path = '' }) => path.replace(/\/$/, ''));
  return async (request, context) => {
    const { pathname } = new URL(request.url);
    // The page names its files relative to its own address, so it needs one below `console/`.
    if (!request.params.path && !pathname.endsWith('/'))
      return { status: 302, headers: { location: 'console/index.html', 'cache-control': 'no-cache' } };
    return file(request, context);
  };
}

/** The OpenAPI document. It needs no key, as the console. */
export function openApiFile(folder: string): HttpHandler {
  return fileOf(folder, () => 'openapi.json');
}

function fileOf(folder: string, pathOf: (params: Readonly<Record<string, string>>) => string): HttpHandler {
  return answeringErrors(async (request) => {
    const path = pathOf(request.params);
    const file = await consoleFile(folder, path);
    if (file === undefined) {
      throw new BerthError(
        'BERTH_FILE_UNKNOWN',
        `This package has no file ${JSON.stringify(path === '' ? 'index.html' : path)}: a package with the console has it.`,
      );
    }
    return tagged(request, { status: 200, headers: file.headers, body: file.bytes }, file.sha256);
  });
}
