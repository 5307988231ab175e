// The dialog of one file: its history, answer, log lines and proof.
const bad = ["cut", "refused", "failed", "fault"];
const capital = (s) => s[0].toUpperCase() + s.slice(1);

function section(title, ...content) {
  return make("section", {}, make("h3", { textContent: t(title) }), ...content);
}

function code(text) {
  return make("pre", { textContent: text, tabIndex: 0 });
}

function proofOf(proof) {
  const table = make("table");
  const row = (head, ...cells) => table.append(make("tr", {}, make("th", { scope: "row", textContent: head }), ...cells.map((c) => make("td", { textContent: c ?? "" }))));
  table.append(make("tr", {}, make("td"), make("th", { scope: "col", textContent: t("put") }), make("th", { scope: "col", textContent: t("arrived") })));
  const { put = {}, arrived = {} } = proof;
  row("bytes", put.size, arrived.size);
  row("SHA-256", put.sha256, arrived.sha256);
  row("ETag", put.etag, arrived.etag);
  row("CRC64", "", arrived.crc64);
  row("fileId", "", arrived.fileId);
  const all = [make("div", { className: "scroll", tabIndex: 0 }, table)];
  if (put.sha256 && arrived.sha256) {
    const same = put.sha256 === arrived.sha256;
    all.unshift(make("p", { className: same ? "same" : "differ", textContent: (same ? "✓ " : "✗ ") + t(same ? "same" : "differ") + (arrived.readable ? " · " + t("readable") : "") }));
  }
  return all;
}

async function openDetails(id) {
  const response = await fetch("/workbench/files/" + id);
  if (!response.ok) return;
  const d = await response.json();
  const f = d.file;
  $("details-title").textContent = visible(f.key && f.path && f.key !== f.path ? f.key + " → " + f.path : f.key || f.path);
  const steps = make("ol", { className: "steps" });
  for (const s of d.steps) {
    steps.append(make("li", { className: bad.includes(s.what) ? "bad" : "" }, t("s" + capital(s.what)) + (s.note ? " " + s.note : ""), make("small", { textContent: s.at + " ms" })));
  }
  const outcome = make("p", { className: "outcome " + (f.status || ""), textContent: f.status ? ended(f) : doing({ file: f, rate: 0 }) });
  const body = [outcome];
  if (f.help) body.push(make("p", {}, t("page") + " ", docs(f.help)));
  body.push(section("history", steps));
  if (Object.keys(d.proof).length) body.push(section("proof", ...proofOf(d.proof)));
  body.push(section("answer", code(d.answer ? JSON.stringify(d.answer, null, 2) : t("none"))));
  body.push(section("log", ...(d.log.length ? d.log.map(code) : [code(t("none"))])));
  $("details-body").replaceChildren(...body);
  $("details").showModal();
}
$("details").addEventListener("click", (e) => { if (e.target === $("details")) $("details").close(); });

// docs is a link to a page of the docs. Its text is the file's name in the repository.
function docs(address) {
  const name = address.replace(/^.*\/blob\/main\//, "");
  return make("a", { href: address, target: "_blank", rel: "noreferrer noopener", textContent: name });
}
