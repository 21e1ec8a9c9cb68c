/** A shell into which a command is pasted. */
export type Shell = 'posix' | 'powershell';

/** The arguments of a `berth` command, without the word `berth`. */
export type Argv = readonly string[];

/** Words that no shell reads in another way. */
const PLAIN: Readonly<Record<Shell, RegExp>> = {
  posix: /^[A-Za-z0-9_./:+-]+$/,
  // PowerShell reads numbers, commas and colons in its own ways.
  powershell: /^[A-Za-z][A-Za-z0-9_./-]*$|^--?[A-Za-z][A-Za-z-]*$|^[0-9]+[smhd]?$/,
};

/** The command as it is pasted into a shell: `npx --no berth …`, from the folder of the project. */
export function commandText(argv: Argv, shell: Shell): string {
  return commandWords(argv, shell).join(' ');
}

/** The words of `commandText`: a line may break between them. */
export function commandWords(argv: Argv, shell: Shell): readonly string[] {
  return ['npx', '--no', 'berth', ...argv.map((word) => quoted(word, shell))];
}

/** One word, quoted where the shell would not take it as it is. */
export function quoted(word: string, shell: Shell): string {
  if (PLAIN[shell].test(word)) return word;
  return shell === 'posix' ? posixQuoted(word) : powershellQuoted(word);
}

/** Single quotes keep everything but themselves. */
function posixQuoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** PowerShell takes the typographic single quotes for quotes too (about_Quoting_Rules); each is doubled. */
const SINGLE_QUOTES = /['\u2018\u2019\u201A\u201B]/g;

/**
 * PowerShell 7.3 and later pass a word to a program as it is (PSNativeCommandArgumentPassing). On Windows, `npx` is
 * `npx.ps1` or a batch file; a double quote does not survive a batch file, so it is not offered: see `isPowershellSafe`.
 */
function powershellQuoted(word: string): string {
  return `'${word.replace(SINGLE_QUOTES, (quote) => quote + quote)}'`;
}

/** Whether PowerShell on Windows passes every word on unchanged, through batch files and older versions too. */
export function isPowershellSafe(argv: Argv): boolean {
  return !argv.some((word) => /["%^&|<>!\r\n]/.test(word));
}
