/** A message that a module sends to the hub of its device. */
export interface RoutedMessage {
  readonly deviceId: string;
  readonly moduleId: string;
  /** Undefined: the module sent it without an output. */
  readonly output: string | undefined;
  readonly body: Buffer;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly messageId: string | undefined;
  readonly properties: Readonly<Record<string, string>>;
}

/** A text is no route. The message says why. */
export class RouteError extends Error {}
