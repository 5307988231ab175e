// Tencent's CLI runs this before it sends anything (src.hook in serverless.yml), because it
// sends a function with "undefined" in place of a value that nobody set. It looks for a
// value for each ${env:NAME} of the serverless.yml in the working directory.
"use strict";

const text = require("fs").readFileSync("serverless.yml", "utf8").replace(/(^|\s)#.*$/gm, "");
const names = new Set([...text.matchAll(/\$\{env:(\w+)\}/g)].map((m) => m[1]));
const missing = [...names].filter((name) => !(process.env[name] ?? "").trim());
if (missing.length > 0) {
  console.error(`No value for ${missing.join(", ")}. Write it into .env. If you do not use it, make a comment of its line in serverless.yml.`);
  process.exit(1);
}
