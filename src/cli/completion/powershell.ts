import type { CompletionNode, CompletionWord } from './completion-nodes.ts';

/** For Windows PowerShell 5.1 and PowerShell 7. Files complete where no word fits. */
export function powershellScript(nodes: readonly CompletionNode[]): string {
  return `# Completion of berth for PowerShell: berth completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName berth -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @{
${nodes.map((node) => `    ${quoted(node.path)} = @(${wordsOf(node).map(entryOf).join(', ')})`).join('\n')}
  }
  $values = @{
${nodes.flatMap(valueLines).join('\n')}
  }
  $at = ''
  $last = ''
  foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {
    if ($element.Extent.EndOffset -ge $cursorPosition) { break }
    $last = $element.Extent.Text
    $next = "$at $last".Trim()
    if ($words.ContainsKey($next)) { $at = $next }
  }
  $known = if ($values.ContainsKey("$at $last")) { $values["$at $last"] } else { $words[$at] }
  foreach ($entry in $known) {
    $word, $description = $entry -split "\\t", 2
    if ($word -like "$wordToComplete*") {
      [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $description)
    }
  }
}
`;
}

function wordsOf({ commands, options, values }: CompletionNode): readonly CompletionWord[] {
  return [...values.map((word) => ({ word, description: word })), ...commands, ...options];
}

/** What follows an option that takes a value; nothing where the value is a text or a file. */
function valueLines({ path, options }: CompletionNode): readonly string[] {
  return options.flatMap(({ word, value }) => {
    if (value === 'none') return [];
    const known = value === 'text' || value === 'file' ? [] : value;
    const entries = known.map((each) => entryOf({ word: each, description: each }));
    return [`    ${quoted(`${path} ${word}`)} = @(${entries.join(', ')})`];
  });
}

/** The word and its description with a tab between them. */
function entryOf({ word, description }: CompletionWord): string {
  return `"${escaped(word)}\`t${escaped(description)}"`;
}

function escaped(text: string): string {
  return text.replaceAll('`', '``').replaceAll('"', '`"').replaceAll('$', '`$');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
