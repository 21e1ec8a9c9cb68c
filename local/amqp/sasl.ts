import type { X509Certificate } from 'node:crypto';

/** A client before it has opened its connection. */
export interface SaslClient {
  readonly host: string | undefined;
  certificates(): readonly X509Certificate[];
}

/** A SASL mechanism in the form that rhea calls. */
export interface SaslMechanism {
  /** Undefined: the exchange goes on. */
  outcome: boolean | undefined;
  username: string | undefined;
  /**
   * Takes the first response of the client. A returned value is the next challenge, if there is no outcome. It may return a
   * promise. If it throws or rejects, the connection ends.
   */
  start(response: Buffer | undefined, hostname: string | undefined): unknown;
  /** Takes the next response, like `start`. */
  step?(response: Buffer | undefined): unknown;
}
