/** The flags of `npm run device` that choose the device and the stack. */
export interface DeviceFlags {
  readonly group?: string;
  readonly x509: boolean;
  readonly edge: boolean;
  readonly control: string;
}

/** Where the control API listens without `--port` and `--free-ports`. */
export const USUAL_CONTROL = 'http://127.0.0.1:7070';

/**
 * A command that uses the same device again. Without its flags, the device would register with another proof or enrollment.
 *
 * @param more flags to add. @example nextCommand('dev-1', flags, '--print-env') → 'npm run device -- dev-1 --x509 --print-env'
 */
export function nextCommand(
  registrationId: string,
  { group, x509, edge, control }: DeviceFlags,
  more: '--print-env' | '--stay',
): string {
  const flags = [
    ...(group === undefined ? [] : ['--group', group]),
    ...(x509 ? ['--x509'] : []),
    ...(edge ? ['--edge'] : []),
    more,
    ...(control === USUAL_CONTROL ? [] : ['--control', control]),
  ];
  const silent = more === '--print-env' ? ' --silent' : '';
  return `npm run${silent} device -- ${registrationId} ${flags.join(' ')}`;
}
