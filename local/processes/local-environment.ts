/** Settings that name a part of a deployment: its state, its storage, its DPS, its Event Hub, its exports. */
const DEPLOYMENT = /^(BERTH_STATE|AzureWebJobsStorage|BERTH_DPS|BERTH_EXPORTS|TWIN_EVENTS)(__|$)/;

/**
 * The environment of a process that works with the local stack: this one, with the settings of the local stack. Settings of a
 * deployment are left out. Otherwise a shell that names the state of a deployment would give it to the local functions.
 *
 * @param settings the app settings of the local stack
 */
export function localEnvironment(
  settings: Readonly<Record<string, string>>,
  inherited: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const kept = Object.entries(inherited).filter(([name]) => !DEPLOYMENT.test(name));
  return { ...Object.fromEntries(kept), ...settings };
}
