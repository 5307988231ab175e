// Opens a page in Chromium, chooses a file in it as a person would, and prints
// what the page says became of it.
// node upload.mjs MODULES CHROMIUM PROFILE FILE PAGE
import { createRequire } from "node:module";

const [modules, executablePath, profile, file, page] = process.argv.slice(2);
const { chromium } = createRequire(modules + "/")("playwright-core");

const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
try {
  const tab = await context.newPage();
  await tab.goto(page);
  await tab.setInputFiles("#file", file);
  const outcome = tab.locator("#outcome:not(:empty)");
  await outcome.waitFor({ state: "attached", timeout: 45_000 });
  console.log(await outcome.textContent());
} finally {
  await context.close();
}
