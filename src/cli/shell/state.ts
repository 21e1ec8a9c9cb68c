import { hostname, userInfo } from 'node:os';
import { BerthError } from '../../errors.ts';
import { parseFleet } from '../../fleet/file/parse.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { Environment } from '../../settings/settings.ts';
import { openStores, type Stores } from '../../store/stores.ts';
import { openTables } from '../../store/tables/tables.ts';
import { NO_REDACTION, type Redaction } from '../../twin/events/redact.ts';
import { commandStateAccount } from './environment.ts';
import { readFleetFile, validFleet } from './files.ts';
import { signedInAs } from './signed-in.ts';
import { stateAccountName } from './state-place.ts';

/** The state tables of a deployment, for commands. */
export interface State extends Stores {
  /** The storage account, for messages. */
  readonly place: string;
  /**
   * Who runs the command: the Entra identity, or the user of this machine if an account key opens the tables.
   */
  author(): Promise<string>;
  /** Whether `author` is an Entra identity. */
  readonly isSignedIn: boolean;
  /** Creates the tables that do not exist. Other commands create a table when they first use it. */
  createTables(): Promise<void>;
}

/** @throws BerthError `BERTH_SETTING_INVALID` if no setting names the state account */
export function openState(env: Environment): State {
  const account = commandStateAccount(env);
  const tables = openTables(account);
  return {
    ...openStores(tables),
    place: stateAccountName(account),
    isSignedIn: account.kind === 'identity',
    async createTables() {
      await Promise.all(Object.values(tables).map((table) => table.get('none', 'none')));
    },
    author: async () =>
      account.kind === 'identity' ? signedInAs() : `${userName()}@${hostname()} (by account key)`,
  };
}

/**
 * The fleet file that the deployment runs.
 *
 * @throws BerthError `BERTH_FLEET_INVALID` if no instance has run a valid one yet
 */
export async function fleetInForce({ revisions, place }: State): Promise<Fleet> {
  const last = await revisions.lastGood();
  if (last !== undefined) return validFleet(parseFleet(last.text, last.models), 'The fleet file in force');
  throw new BerthError(
    'BERTH_FLEET_INVALID',
    `No instance has stored a fleet file in ${place} yet: deploy a valid fleet file, or check BERTH_STATE.`,
  );
}

/** The redaction of a fleet file, with the key of the deployment. */
export async function redactionIn(
  { redactionKey }: Pick<State, 'redactionKey'>,
  { twins, edge }: Pick<Fleet, 'twins' | 'edge'>,
): Promise<Redaction> {
  const paths = twins.redact;
  const hidesRuntime = edge !== undefined;
  if (paths.length === 0 && !hidesRuntime) return NO_REDACTION;
  return { paths, key: await redactionKey.get(), hidesRuntime };
}

/** A fleet file, and its name as a message begins with it. */
export interface NamedFleet {
  readonly fleet: Fleet;
  readonly name: string;
}

/**
 * The fleet file of a command about the running fleet: the one in force, unless the operator names another.
 *
 * @param file the value of `--fleet`.
 * @throws BerthError `BERTH_FLEET_INVALID`, `BERTH_FILE_UNREADABLE`
 */
export async function deployedFleet(state: State, file: string | undefined): Promise<NamedFleet> {
  if (file !== undefined) return { fleet: readFleetFile(file).fleet, name: file };
  return { fleet: await fleetInForce(state), name: 'The fleet file in force' };
}

/** In a container, a user may have a number but no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}
