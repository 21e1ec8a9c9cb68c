import type { SaslClient, SaslMechanism } from './sasl.ts';
import type { AmqpService, PlainAnswer } from './service.ts';

/** The mechanisms of one client, in the form that rhea reads. */
export type Mechanisms = Record<string, () => SaslMechanism>;

type Accepted = (by: AmqpService, connect: Exclude<PlainAnswer, 'refused'>['connect']) => void;

/**
 * The SASL mechanisms of Azure's services. PLAIN checks a name and a key. The others let every client in: its links then need
 * a token or the certificate that TLS has checked. Services can add their own.
 *
 * @param accepted called when a service has accepted a user name and password.
 */
export function mechanismsFor(
  client: SaslClient,
  services: readonly AmqpService[],
  accepted: Accepted,
): Mechanisms {
  const own = services.flatMap(({ mechanisms = {} }) =>
    Object.entries(mechanisms).map(([name, create]) => [name, () => create(client)] as const),
  );
  return {
    MSSBCBS: letIn,
    PLAIN: () => plain(client, services, accepted),
    ANONYMOUS: letIn,
    EXTERNAL: letIn,
    ...Object.fromEntries(own),
  };
}

function letIn(): SaslMechanism {
  return {
    outcome: undefined,
    username: undefined,
    start() {
      this.outcome = true;
    },
  };
}

/** SASL PLAIN (RFC 4616): the user name and the password, each after a zero byte. */
function plain({ host }: SaslClient, services: readonly AmqpService[], accepted: Accepted): SaslMechanism {
  return {
    outcome: undefined,
    username: undefined,
    async start(response, hostname) {
      const [, userName = '', password = ''] = (response?.toString('utf8') ?? '').split('\0');
      this.username = userName;
      for (const service of services) {
        const answer = await service.checkPlain?.({ userName, password, host: host ?? hostname });
        if (answer === undefined) continue;
        if (answer !== 'refused') accepted(service, answer.connect);
        this.outcome = answer !== 'refused';
        return;
      }
      this.outcome = false;
    },
  };
}
