import { ACCESS_KEY } from '../access-key.ts';

/** SASL PLAIN (RFC 4616) with the name of a policy and its key, in the form that rhea calls. */
export class PlainMechanism {
  outcome: boolean | undefined;
  username: string | undefined;

  start(response: Buffer | undefined): void {
    const [, username, password] = (response?.toString('utf8') ?? '').split('\0');
    this.username = username;
    this.outcome = username === ACCESS_KEY.keyName && password === ACCESS_KEY.key;
  }
}
