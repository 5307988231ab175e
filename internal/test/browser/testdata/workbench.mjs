// Drives the page of functions/local in Chromium as a person would, and prints one JSON
// line for each check: its name, and what was wrong.
// node workbench.mjs MODULES CHROMIUM URL FILE FOLDER
import { createRequire } from "node:module";
import { basename } from "node:path";

const [modules, executablePath, url, file, folder] = process.argv.slice(2);
const { chromium } = createRequire(modules + "/")("playwright-core");
const timeout = 240_000; // ends a test that would otherwise hang
const browser = await chromium.launch({
  executablePath, timeout, headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const complaints = [];

async function open(options) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const tab = await context.newPage();
  tab.setDefaultTimeout(timeout);
  tab.on("console", (m) => { if (["error", "warning"].includes(m.type())) complaints.push(m.text()); });
  tab.on("pageerror", (e) => complaints.push(String(e)));
  tab.on("request", (r) => { if (!/^(data:|http:\/\/(127\.0\.0\.1|localhost):)/.test(r.url())) complaints.push("request to " + r.url()); });
  await tab.goto(url);
  await tab.locator("#link.on").waitFor({ state: "attached" });
  return tab;
}

async function check(name, run) {
  let wrong = "";
  try { wrong = await run() || ""; } catch (e) { wrong = String(e); }
  console.log(JSON.stringify({ name, wrong }));
}

const tab = await open({ viewport: { width: 1200, height: 900 }, locale: "en-US" });
const row = (name, status) => tab.locator(`.file[data-status=${status}]`, { hasText: name }).first();

await check("a sample", async () => {
  await tab.click("#send-sample");
  const sample = row("in/sample-", "delivered");
  await sample.waitFor();
  const text = await sample.innerText();
  if (!/✓ size[^]*✓ md5[^]*✓ crc64[^]*told db:files/.test(text) || !text.includes("arrived in")) return text;
  const colours = await sample.evaluate((row) => [".path", ".open"].map((part) => getComputedStyle(row.querySelector(part)).color));
  if (colours[0] !== colours[1]) return "the names on both sides have the colours " + colours;
  await tab.waitForFunction(() => document.getElementById("live").textContent.includes("arrived"));
});

await check("the details of a file, by keyboard", async () => {
  await row("in/sample-", "delivered").locator(".open").focus();
  await tab.keyboard.press("Enter");
  await tab.locator("dialog[open] .same").waitFor();
  const text = await tab.locator("#details-body").innerText();
  for (const want of ["SHA-256 is equal", '"status": "delivered"', "upload 1", "readable for the mini program", '"msg":"file"']) {
    if (!text.includes(want)) return want + " is not there: " + text;
  }
  await tab.keyboard.press("Escape");
  if (!await tab.evaluate(() => document.activeElement.classList.contains("open"))) return "the focus does not return to the row";
});

await check("chosen files and a chosen folder", async () => {
  await tab.setInputFiles("#files", file);
  await row("in/" + basename(file), "delivered").waitFor();
  await tab.setInputFiles("#folder", folder);
  await row(`in/${basename(folder)}/below/deep.txt`, "delivered").waitFor();
  for (const [button, input] of [["#choose-files", false], ["#choose-folder", true]]) {
    const chooser = tab.waitForEvent("filechooser");
    await tab.click(button);
    if (await (await chooser).element().evaluate((e) => e.webkitdirectory) !== input) return button + " opens the other dialog";
  }
});

await check("dropped files and a dropped folder", async () => {
  await tab.evaluate(() => { for (const r of rows.values()) r.el.remove(); rows.clear(); });
  const session = await tab.context().newCDPSession(tab);
  for (const files of [[file], [folder]]) {
    const data = { items: [], files, dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) await session.send("Input.dispatchDragEvent", { type, x: 600, y: 400, data });
  }
  await row("in/" + basename(file), "delivered").waitFor();
  await row(`in/${basename(folder)}/below/deep.txt`, "delivered").waitFor();
  if (await tab.locator("#dropping.on").count()) return "the page still waits for a drop";
});

const faults = {
  40164: { status: "failed", says: "allow-list", docs: "docs/reference/wechat-errors.md#40164" },
  45009: { status: "failed", says: "45009", docs: "docs/reference/wechat-errors.md#45009" },
  cos403: { status: "failed", says: "AccessDenied", docs: "docs/reference/errors.md#accessdenied" },
  clock: { status: "failed", says: "RequestTimeTooSkewed", docs: "docs/reference/errors.md#requesttimetooskewed" },
  source: { status: "delivered", says: "resumed 1×", docs: "docs/reliability.md" },
  cable: { status: "delivered", says: "2 attempts", docs: "docs/reliability.md" },
};
for (const [id, want] of Object.entries(faults)) {
  await check("the fault " + id, async () => {
    const button = tab.locator(`[data-fault="${id}"][aria-pressed]`);
    await button.click();
    await tab.locator(`[data-fault="${id}"][aria-pressed=true]`).waitFor();
    await tab.click("#send-to-fault");
    const told = tab.locator(`#hits [data-fault="${id}"]`);
    await told.waitFor();
    const text = await told.innerText();
    if (!text.includes(want.says) || !text.includes(want.docs) || !text.includes("Cure:")) return text;
    await tab.locator(`[data-fault="${id}"][aria-pressed=false]`).waitFor();
    const hit = tab.locator(`.file[data-id="${await told.getAttribute("data-file")}"][data-status=${want.status}]`);
    await hit.waitFor();
    if (want.status === "failed") { // the cause is gone: the same file arrives
      const key = await hit.locator(".open").innerText();
      await hit.locator(".again").click();
      await row(key, "delivered").waitFor();
    }
  });
}

await check("a fault that is taken back", async () => {
  const button = tab.locator('[data-fault="cos403"][aria-pressed]');
  await button.click();
  await tab.locator("#armed:not([hidden])").waitFor();
  await button.click();
  await tab.locator("#armed").waitFor({ state: "hidden" });
});

await check("an upload by ticket", async () => {
  await tab.setInputFiles("#ticket-file", file);
  await tab.click("#ticket button");
  await tab.locator("#ticket-result:not(:empty)").waitFor();
  const said = await tab.locator("#ticket-result").innerText();
  if (!said.startsWith("Stored as cloud://")) return said;
  const stored = row("from-the-page/" + basename(file), "delivered");
  await stored.waitFor();
  const text = await stored.innerText();
  if (!text.includes("300 KiB")) return "the size is not the file's, but the form's: " + text;
  await stored.locator(".open").click();
  const proof = await tab.locator("dialog[open] #details-body").innerText();
  await tab.keyboard.press("Escape");
  if (!/^bytes\s+307200$/m.test(proof)) return "there is no proof: " + proof;
});

await check("the line and the race", async () => {
  await tab.locator("#rate").focus();
  await tab.keyboard.press("End");
  await tab.keyboard.press("ArrowLeft"); // 8 MiB/s
  await tab.waitForFunction(() => state.line === 8 << 20);
  if (!/8\.0 MiB\/s/.test(await tab.locator("#rate-text").innerText())) return await tab.locator("#rate-text").innerText();
  await tab.click("#race");
  await tab.locator("#race-result:not(:empty)").waitFor();
  const said = await tab.locator("#race-result").innerText();
  if (!/^Parts took .*, one POST .* times as fast\.$/.test(said)) return said;
  await tab.locator("#rate").focus();
  await tab.keyboard.press("End");
  await tab.waitForFunction(() => state.line === 0);
});

await check("the settings and the addresses", async () => {
  await tab.click("summary");
  const settings = await tab.locator("#settings").innerText();
  if (!/CLOUDBASE_PATH \(yours\)\s+\{key\}/.test(settings) || !/WECHAT_APP_SECRET\s+•+/.test(settings)) return settings;
  if (!(await tab.locator("#curl").innerText()).startsWith("curl -T FILE -H")) return "there is no curl";
  await tab.click("#copy");
});

await check("every control has a name", async () => tab.evaluate(() =>
  [...document.querySelectorAll("button, input:not([hidden]), [role=progressbar], [role=region], section")]
    .filter((e) => !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.labels?.length || e.textContent.trim() || e.id === ""))
    .map((e) => e.outerHTML.slice(0, 120)).join("\n")));

for (const [width, locale] of [[360, "en-US"], [360, "zh-CN"], [1600, "zh-CN"]]) {
  await check(`${width} px, ${locale}`, async () => {
    const narrow = await open({ viewport: { width, height: 800 }, locale, colorScheme: "dark" });
    await narrow.locator(".file").first().waitFor();
    await narrow.locator("summary").click();
    const wide = await narrow.evaluate(() => document.documentElement.scrollWidth);
    if (wide > width) return "the page is " + wide + " px wide";
    const heading = await narrow.locator(".side.left h3").innerText();
    if (heading !== (locale === "zh-CN" ? "暂存桶" : "Staging bucket")) return heading;
    const missing = await narrow.evaluate(() => Object.keys(words.en).filter((k) => !words.zh[k]).join());
    if (missing) return "not in Chinese: " + missing;
    await narrow.context().close();
  });
}

await check("no complaints", async () => complaints.join("\n"));
await browser.close();
