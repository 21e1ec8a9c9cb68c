/** A request to the control API. */
export interface ControlRequest {
  readonly method: string;
  /** Decoded parts of the path. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  /** Parsed body; undefined where there is none. */
  readonly body: unknown;
}
