import * as z from 'zod';
import type { OwnDevice, OwnDeviceRequest } from './credentials.ts';

const STACK = z.object({
  ports: z.object({ https: z.number(), mqtt: z.number() }),
  idScope: z.string(),
  root: z.string(),
  plain: z.boolean(),
  certificates: z.object({ root: z.string(), bundle: z.string() }),
  settings: z.record(z.string(), z.string()),
});

/** The addresses and keys of the running local stack. */
export type RunningStack = z.output<typeof STACK>;

const OWN_DEVICE = z.object({
  registrationId: z.string(),
  idScope: z.string(),
  enrollment: z.object({ kind: z.enum(['group', 'individual']), id: z.string(), isNew: z.boolean() }),
  key: z.string().nullable(),
  certificate: z.object({ certificate: z.string(), key: z.string() }).nullable(),
  tpm: z.string().nullable(),
});
const FAILED = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

const ANSWER_MS = 10_000;

/** @param control URL of the control API. @throws Error with what to do if the stack does not answer */
export async function readStack(control: string): Promise<RunningStack> {
  try {
    const response = await fetch(`${control}/stack`, { signal: AbortSignal.timeout(ANSWER_MS) });
    return STACK.parse(await response.json());
  } catch {
    throw new Error(
      `The local stack does not answer at ${control}. Run "npm start" or "npm run local -- --plain" in another terminal first.`,
    );
  }
}

const HUB = z.object({ builtInEndpoint: z.object({ connectionString: z.string() }) });

/** The connection string of the built-in endpoint of a hub, where programs read the messages of its devices. */
export async function readEventsConnection(control: string, hub: string): Promise<string> {
  const response = await fetch(`${control}/hubs/${hub}`, { signal: AbortSignal.timeout(ANSWER_MS) });
  return HUB.parse(await response.json()).builtInEndpoint.connectionString;
}

/** Asks the stack for the credentials of a device. @throws Error with the reason and the code of a refusal */
export async function askForCredentials(control: string, request: OwnDeviceRequest): Promise<OwnDevice> {
  const response = await fetch(`${control}/devices`, {
    method: 'POST',
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const answer: unknown = await response.json();
  if (response.ok) return OWN_DEVICE.parse(answer);
  const { code, message } = FAILED.parse(answer).error;
  throw new Error(`${message} [${code}]`);
}
