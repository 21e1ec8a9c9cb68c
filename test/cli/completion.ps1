# Completion of berth for PowerShell: berth completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName berth -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @{
    '' = @("hubs`tshow `"all`" hubs; it's `$free", "hub`tchange one hub", "help`tshow the help of a command", "--help`tshow the help", "--version`tprint the version", "--no-color`tprint no colors")
    'hubs' = @("--watch`trepeat", "--status`tonly these", "--json`toutput JSON", "--help`tshow the help", "--no-color`tprint no colors")
    'hub' = @("set`toverride the state", "--help`tshow the help", "--no-color`tprint no colors")
    'hub set' = @("--reason`twhy", "--json`toutput JSON", "--help`tshow the help", "--no-color`tprint no colors")
    'help' = @("hubs`tshow `"all`" hubs; it's `$free", "hub`tchange one hub")
  }
  $values = @{
    'hubs --status' = @("active`tactive", "draining`tdraining")
    'hub set --reason' = @()
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
    $word, $description = $entry -split "\t", 2
    if ($word -like "$wordToComplete*") {
      [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $description)
    }
  }
}
