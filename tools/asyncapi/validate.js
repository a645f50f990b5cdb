// Reads a document from standard input; says what is wrong with it and ends with 1, or ends with 0.
const { Parser } = require("@asyncapi/parser");
const { readFileSync } = require("node:fs");

new Parser().parse(readFileSync(0, "utf8")).then(({ document, diagnostics }) => {
  const wrong = diagnostics.filter((one) => one.severity < 2);
  for (const { code, message, path } of wrong) console.log(code, message, path.join("."));
  process.exit(document && wrong.length === 0 ? 0 : 1);
});
