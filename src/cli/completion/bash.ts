import type { CompletionNode } from './completion-nodes.ts';

/** For bash 4 and later. */
export function bashScript(nodes: readonly CompletionNode[]): string {
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => quoted(path));
  return `# Completion of berth for bash: source <(berth completion bash)
_berth() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at='' next words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${at:+$at }\${COMP_WORDS[i]}"
    case "$next" in
      ${paths.join(' | ')}) at="$next" ;;
    esac
  done
  case "$at $prev" in
${nodes.flatMap(valueCases).join('\n')}
  esac
  case "$at" in
${nodes.map(wordCase).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _berth berth
`;
}

/** What follows an option that takes a value. */
function valueCases({ path, options }: CompletionNode): readonly string[] {
  return options.flatMap(({ word, value }) => {
    const pattern = quoted(`${path} ${word}`);
    if (value === 'none') return [];
    if (value === 'file') return [`    ${pattern}) COMPREPLY=($(compgen -f -- "$cur")); return ;;`];
    if (value === 'text') return [`    ${pattern}) COMPREPLY=(); compopt +o default 2>/dev/null; return ;;`];
    return [`    ${pattern}) COMPREPLY=($(compgen -W ${quoted(value.join(' '))} -- "$cur")); return ;;`];
  });
}

/** Files complete by default where no word fits. */
function wordCase({ path, commands, options, values }: CompletionNode): string {
  const words = [...commands, ...options].map(({ word }) => word);
  return `    ${quoted(path)}) words=${quoted([...values, ...words].join(' '))} ;;`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
