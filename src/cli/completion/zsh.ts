import type { CompletionNode, CompletionWord } from './completion-nodes.ts';

/** For zsh, after `compinit`. */
export function zshScript(nodes: readonly CompletionNode[]): string {
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => quoted(path));
  return `#compdef berth
# Completion of berth for zsh: source <(berth completion zsh)
_berth() {
  local at='' next i
  local -a entries
  for ((i = 2; i < CURRENT; i++)); do
    next="\${at:+$at }\${words[i]}"
    case "$next" in
      (${paths.join(' | ')}) at="$next" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${nodes.flatMap(valueCases).join('\n')}
  esac
  case "$at" in
${nodes.map(entryCase).join('\n')}
  esac
}
if [ "\${funcstack[1]}" = _berth ]; then
  _berth "$@"
else
  compdef _berth berth
fi
`;
}

/** What follows an option that takes a value. */
function valueCases({ path, options }: CompletionNode): readonly string[] {
  return options.flatMap(({ word, value, description }) => {
    const pattern = `    (${quoted(`${path} ${word}`)})`;
    if (value === 'none') return [];
    if (value === 'file') return [`${pattern} _files; return ;;`];
    if (value === 'text') return [`${pattern} _message ${quoted(description)}; return ;;`];
    return [`${pattern} compadd -- ${value.map(quoted).join(' ')}; return ;;`];
  });
}

function entryCase({ path, commands, options, values, takesFile }: CompletionNode): string {
  const entries = [...commands, ...options].map(entryOf).join(' ');
  const added = values.length === 0 ? '' : ` compadd -- ${values.map(quoted).join(' ')};`;
  const files = takesFile ? ' _files;' : '';
  return `    (${quoted(path)}) entries=(${entries}); _describe berth entries;${added}${files} ;;`;
}

function entryOf({ word, description }: CompletionWord): string {
  return quoted(`${word.replaceAll(':', '\\:')}:${description}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
