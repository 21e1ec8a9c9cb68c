import { Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { Choice } from '../parts/choice.tsx';
import { Icon } from '../parts/icons.tsx';
import { type Argv, commandText, commandWords, isPowershellSafe, type Shell } from './argv.ts';

const SHELLS: readonly { readonly value: Shell; readonly label: string }[] = [
  { value: 'posix', label: 'Bash, zsh' },
  { value: 'powershell', label: 'PowerShell' },
];

/** A `berth` command as text to copy, quoted for the shell of the reader. */
export function CommandLine({ argv }: { readonly argv: Argv }) {
  const [shell, setShell] = useState<Shell>(/win/i.test(navigator.platform) ? 'powershell' : 'posix');
  const [copied, setCopied] = useState(false);
  const text = commandText(argv, shell);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2_000);
  };
  return (
    <div class="command">
      <div class="command-head">
        <Choice label="Shell" values={SHELLS} chosen={shell} onChange={(value) => setShell(value)} />
        <button type="button" class="button small" onClick={() => void copy()}>
          <Icon name={copied ? 'check' : 'copy'} />
          <span aria-live="polite">{copied ? 'Copied' : 'Copy'}</span>
        </button>
      </div>
      <pre class="command-text" data-command>
        <code>
          {commandWords(argv, shell).map((word, index) => (
            <Fragment key={`${index} ${word}`}>
              {index > 0 && ' '}
              <span>{word}</span>
            </Fragment>
          ))}
        </code>
      </pre>
      {shell === 'powershell' && !isPowershellSafe(argv) && (
        <p class="note">
          Older versions of PowerShell change some of these characters: " % ^ &amp; | &lt; &gt; ! Use other
          ones if you can.
        </p>
      )}
    </div>
  );
}
