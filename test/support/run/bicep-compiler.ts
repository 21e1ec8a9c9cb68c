import { text } from 'node:stream/consumers';
import { type CompilerProcess, startCompiler } from '../bicep/compiler-process.ts';
import { findCompiler } from '../bicep/find-compiler.ts';
import { type RunServer, startRunServer } from './run-server.ts';

/** Environment variable that tells the suites where {@link serveBicepCompiler} listens. */
export const BICEP_COMPILER = 'BERTH_TEST_BICEP_COMPILER';

/** What `infra/main.bicepparam` reads. azd sets them. */
const AZD = { AZURE_ENV_NAME: 'berth-dev', AZURE_LOCATION: 'westeurope' };

/**
 * The compiler runs for seconds only. Compiling its own code once costs less than optimizing it step by step, and 128 MB (in
 * hexadecimal) between two collections of garbage less than many of them.
 */
const DOTNET = { DOTNET_TieredCompilation: '0', DOTNET_GCgen0size: '8000000' };

/**
 * One compiler for all suites of a run. `POST {method, params}` answers `{result}` or `{error}`; what was asked before is
 * answered from memory. The compiler starts with the first request.
 */
export async function serveBicepCompiler(): Promise<RunServer> {
  let compiler: CompilerProcess | undefined;
  const answers = new Map<string, Promise<object>>();
  const ask = async (request: string): Promise<object> => {
    const { method, params } = JSON.parse(request) as { readonly method: string; readonly params: unknown };
    const found = findCompiler(process.env);
    if ('missing' in found) return { error: found.missing };
    compiler ??= startCompiler(found.path, { ...process.env, ...AZD, ...DOTNET });
    return compiler.call(method, params).then(
      (result) => ({ result }),
      (error: Error) => ({ error: error.message }),
    );
  };
  const answer = (body: string): Promise<object> => {
    const known = answers.get(body) ?? ask(body);
    answers.set(body, known);
    return known;
  };
  return startRunServer(
    (request, response) => {
      text(request)
        .then(answer)
        .then(
          (found) => response.end(JSON.stringify(found)),
          // A request of another program, or of a suite that ended: the run goes on.
          (error: unknown) => response.writeHead(400).end(String(error)),
        );
    },
    () => compiler?.close(),
  );
}
