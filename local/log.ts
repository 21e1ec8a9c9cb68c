/** The messages of a local service for people. They never contain secrets. */
export interface LocalLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** A log that drops everything; the default of each local service. */
export const silent: LocalLog = { info() {}, warn() {}, error() {} };
