// Opens pages in Chromium one after another, chooses a file in each as a person would, and
// prints a line for each: what the page says became of the file.
// node upload.mjs MODULES CHROMIUM PROFILE FILE PAGE...
import { createRequire } from "node:module";

const [modules, executablePath, profile, file, ...pages] = process.argv.slice(2);
const { chromium } = createRequire(modules + "/")("playwright-core");

const timeout = 240_000; // ends a test that would otherwise hang
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  timeout,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
try {
  for (const page of pages) {
    const tab = await context.newPage();
    tab.setDefaultTimeout(timeout);
    await tab.goto(page);
    await tab.setInputFiles("#file", file);
    const outcome = tab.locator("#outcome:not(:empty)");
    await outcome.waitFor({ state: "attached" });
    console.log(await outcome.textContent());
  }
} finally {
  await context.close();
}
