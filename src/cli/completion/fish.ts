import type { CompletionNode } from './completion-nodes.ts';

/** For fish 3 and later. */
export function fishScript(nodes: readonly CompletionNode[]): string {
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => quoted(path));
  return `# Completion of berth for fish: berth completion fish | source
function __berth_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$at $word")
    if contains -- "$next" ${paths.join(' ')}
      set at $next
    end
  end
  echo -n "$at"
end
function __berth_is
  test (__berth_at | string collect --allow-empty) = "$argv[1]"
end
complete -c berth -f
${nodes.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ path, commands, options, values, takesFile }: CompletionNode): readonly string[] {
  const start = `complete -c berth -n ${quoted(`__berth_is "${path}"`)}`;
  return [
    ...commands.map(({ word, description }) => `${start} -a ${word} -d ${quoted(description)}`),
    ...options.map(({ word, description, value }) => {
      const option = `${start} -l ${word.replace(/^--/, '')} -d ${quoted(description)}`;
      if (value === 'none') return option;
      if (value === 'file') return `${option} -r -F`;
      return value === 'text' ? `${option} -x` : `${option} -x -a ${quoted(value.join(' '))}`;
    }),
    ...(values.length === 0 ? [] : [`${start} -a ${quoted(values.join(' '))}`]),
    ...(takesFile ? [`${start} -F`] : []),
  ];
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
