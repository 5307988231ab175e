// What the page does: send files, arm faults, slow the line, race, upload by ticket.
const call = (name, query = {}, body = null, headers = {}) =>
  fetch("/workbench/" + name + "?" + new URLSearchParams(query), { method: "POST", body, headers });

let state = {};

// send puts files into the bucket, a few at a time.
async function send(files) {
  const queue = [...files];
  const worker = async () => {
    for (let next; (next = queue.shift());) {
      const key = "in/" + next.name;
      try {
        const response = await call("put", { key }, next.file, { "Content-Type": next.file.type || "application/octet-stream" });
        if (!response.ok) throw new Error(await response.text());
      } catch (error) {
        $("live").textContent = $("send-hint").textContent = t("sendFailed", next.name, error.message);
      }
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}

// entriesOf walks what was dropped; a folder brings its files under its name.
async function entriesOf(entry, prefix = "") {
  if (entry.isFile) return [{ name: prefix + entry.name, file: await new Promise((ok, no) => entry.file(ok, no)) }];
  const reader = entry.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((ok, no) => reader.readEntries(ok, no));
    if (!some.length) return all;
    for (const e of some) all.push(...await entriesOf(e, prefix + entry.name + "/"));
  }
}

let depth = 0;
const dropping = (on) => $("dropping").classList.toggle("on", on);
addEventListener("dragenter", (e) => { e.preventDefault(); depth++; dropping(true); });
addEventListener("dragleave", () => { if (--depth <= 0) dropping(false); });
addEventListener("dragover", (e) => e.preventDefault());
addEventListener("drop", async (e) => {
  e.preventDefault();
  depth = 0;
  dropping(false);
  const items = [...e.dataTransfer.items].filter((i) => i.kind === "file");
  const entries = items.map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
  const loose = entries.length ? [] : [...e.dataTransfer.files].map((file) => ({ name: file.name, file }));
  for (const entry of entries) loose.push(...await entriesOf(entry));
  send(loose);
});
for (const [button, input] of [["choose-files", "files"], ["choose-folder", "folder"]]) {
  $(button).addEventListener("click", () => $(input).click());
  $(input).addEventListener("change", () => {
    send([...$(input).files].map((file) => ({ name: file.webkitRelativePath || file.name, file })));
    $(input).value = "";
  });
}
for (const id of ["send-sample", "send-to-fault"]) $(id).addEventListener("click", () => call("sample"));

// Faults.
function showFaults() {
  const box = $("faults");
  if (!box.children.length) {
    for (const f of state.faults) {
      const [name, text] = t("f" + f.id);
      const button = make("button", {}, make("b", { textContent: name }), make("span", { textContent: text }));
      button.dataset.fault = f.id;
      button.disabled = f.idle;
      if (f.idle) button.append(make("span", { textContent: t("idle") }));
      button.addEventListener("click", () => call("fault", { id: f.id, on: button.getAttribute("aria-pressed") !== "true" }));
      box.append(button);
    }
  }
  for (const f of state.faults) box.querySelector(`[data-fault="${f.id}"]`).setAttribute("aria-pressed", f.armed);
  const armed = state.faults.filter((f) => f.armed).map((f) => t("f" + f.id)[0]);
  $("armed").hidden = !armed.length;
  $("armed").firstElementChild.textContent = armed.length ? t("armed", armed.join(", ")) : "";
}

function showHit(f) {
  const old = $("hits").querySelector(`[data-fault="${f.fault}"]`);
  const held = f.status === "delivered";
  const item = make("li", { className: held ? "held" : "" },
    make("p", {}, make("b", { textContent: t("f" + f.fault)[0] })),
    make("p", { textContent: held ? t("saidDelivered", ended(f)) : t("said", f.message) }),
    make("p", {}, t("cure") + " " + t("c" + f.fault)),
    make("p", {}, t("page") + " ", docs(f.help || state.faults.find((x) => x.id === f.fault).help)));
  item.dataset.fault = f.fault;
  item.dataset.file = f.id;
  old?.remove();
  $("hits").prepend(item);
}

// The line. The slider's last place is no limit.
const rates = [256 << 10, 512 << 10, 1 << 20, 2 << 20, 8 << 20, 0];
const rateText = (rate) => rate ? t("perSecond", bytes(rate)) : t("noLimit");
$("rate").addEventListener("input", () => {
  const rate = rates[$("rate").value];
  $("rate-text").textContent = rateText(rate);
  $("rate").setAttribute("aria-valuetext", rateText(rate));
});
$("rate").addEventListener("change", () => call("line", { rate: rates[$("rate").value] }));

const race = {};
$("race").addEventListener("click", async () => {
  race.post = race.parts = null;
  $("race-result").textContent = "";
  $("bars").hidden = false;
  for (const racer of $("bars").children) { racer.querySelector(".bar").style.setProperty("--p", 0); racer.querySelector("b").textContent = ""; }
  $("race").disabled = true;
  const response = await call("race");
  if (!response.ok) { $("race-result").textContent = t("raceFailed", await response.text()); $("race").disabled = false; }
});

// raced shows one of the two. Those of a race before this page was opened are passed over.
function raced(f) {
  if (!$("race").disabled) return;
  const racer = $("bars").querySelector(`[data-race="${f.race}"]`);
  const share = f.status === "delivered" ? 1 : f.size ? f.sent / f.size : 0;
  racer.querySelector(".bar").style.setProperty("--p", share);
  racer.querySelector(".bar").setAttribute("aria-valuenow", Math.round(share * 100));
  racer.querySelector("b").textContent = f.status ? seconds(f.took) : bytes(f.sent);
  if (!f.status) return;
  race[f.race] = f;
  const { post, parts } = race;
  if (!post || !parts) return;
  $("race").disabled = false;
  const failed = [post, parts].find((x) => x.status !== "delivered");
  $("race-result").textContent = failed ? t("raceFailed", failed.message)
    : t("raceOver", seconds(parts.took), seconds(post.took), (post.took / Math.max(1, parts.took)).toFixed(1));
}

// Upload by ticket: what a page of your own would do (docs/ticket-uploads.md).
$("ticket-file").addEventListener("change", () => {
  const file = $("ticket-file").files[0];
  if (file && $("ticket-path").value.endsWith("/")) $("ticket-path").value += file.name;
});
$("ticket").addEventListener("submit", async (e) => {
  e.preventDefault();
  const file = $("ticket-file").files[0];
  const result = $("ticket-result");
  result.textContent = "";
  try {
    const headers = { "Content-Type": "application/json" };
    if (state.key) headers.Authorization = "Bearer " + state.key;
    const answer = await fetch("/tickets", { method: "POST", headers, body: JSON.stringify({ path: $("ticket-path").value }) });
    const ticket = await answer.json();
    if (!answer.ok) throw new Error(ticket.code + ": " + ticket.detail);
    let request = { method: "PUT", headers: ticket.headers, body: file };
    if (ticket.method === "POST") {
      const form = new FormData();
      for (const [name, value] of Object.entries(ticket.fields)) form.append(name, value);
      form.append("file", file); // COS reads no field after it
      request = { method: "POST", body: form };
    }
    const stored = await fetch(ticket.url, request);
    if (!stored.ok) throw new Error(stored.status + " " + await stored.text());
    result.className = "result";
    result.textContent = t("ticketDone", ticket.fileId);
  } catch (error) {
    result.className = "result bad";
    result.textContent = t("ticketBad", error.message);
  }
});
