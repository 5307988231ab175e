// The stream of events, and what stands around the board.
function show() {
  $("bucket-name").textContent = "s3://" + state.bucket;
  $("env-name").textContent = state.env;
  showFaults();
  const rate = rates.indexOf(state.line);
  if (rate >= 0 && document.activeElement !== $("rate")) $("rate").value = rate;
  $("rate-text").textContent = rateText(state.line);
  $("rate").setAttribute("aria-valuetext", rateText(state.line));
  $("where").replaceChildren(...state.addresses.flatMap(([name, value]) => [make("dt", { textContent: name === "page" ? t("thisPage") : t(name) }), make("dd", { textContent: value })]));
  const auth = state.key ? ` -H "Authorization: Bearer ${state.key}"` : "";
  $("curl").textContent = `curl -T FILE${auth} ${location.origin}/files/in/FILE`;
  $("notes").replaceChildren(...(state.notes || []).map((n) => make("li", { textContent: n })));
  $("settings").replaceChildren(...state.settings.map((v) => make("tr", { className: v.own ? "own" : "" },
    make("td", { textContent: v.name + (v.own ? t("yours") : "") }), make("td", { textContent: v.value }))));
}

$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("curl").textContent);
    $("copy").textContent = t("copied");
    setTimeout(() => { $("copy").textContent = t("copy"); }, 2000);
  } catch {
    getSelection().selectAllChildren($("curl"));
  }
});

const link = (name, on) => { $("link").textContent = t(name); $("link").classList.toggle("on", on); };
const stream = new EventSource("/workbench/events");
stream.addEventListener("open", () => link("connected", true));
stream.addEventListener("error", () => link("lost", false));
stream.addEventListener("message", (e) => {
  const message = JSON.parse(e.data);
  if (message.state) { state = message.state; show(); }
  if (message.files) update(message.files);
});
