// The board: a row for each file, which moves no faster than an eye can follow.
const shown = 60; // rows; a page with thousands of them is slow
const still = matchMedia("(prefers-reduced-motion: reduce)");
const rows = new Map(); // by file ID
const boat = "M4 14h22l-4 7H8zM13 1v11H5zm2 1 7 10h-7z";

function rowOf(file) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 30 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", boat);
  svg.append(path);
  const row = {
    file, at: 0, rate: 0, from: file, // from: where the speed is measured
    open: make("button", { className: "open" }), size: make("p", { className: "meta" }),
    track: make("div", { className: "track" }, make("i"), svg), now: make("p", { className: "now" }),
    path: make("p", { className: "path" }), checks: make("p", { className: "checks" }),
    again: make("button", { className: "again small", textContent: t("again"), hidden: true }),
  };
  row.open.addEventListener("click", () => openDetails(file.id));
  row.again.addEventListener("click", () => call("again", { id: file.id }));
  row.track.setAttribute("role", "progressbar");
  row.track.setAttribute("aria-valuemin", 0);
  row.track.setAttribute("aria-valuemax", 100);
  row.el = make("li", { className: "file" },
    make("div", { className: "from" }, row.open, row.size),
    make("div", { className: "way" }, row.track, row.now),
    make("div", { className: "to" }, row.path, row.checks, row.again));
  row.el.dataset.id = file.id;
  return row;
}

// target is how far a file is, from 0 to 1.
function target(f) {
  const share = f.size > 0 ? Math.min(1, f.sent / f.size) : f.sent > 0 ? 1 : 0;
  switch (f.stage) {
    case "ticket": return 0.1;
    case "upload": return 0.12 + 0.62 * share;
    case "check": return 0.77;
    case "receipt": return 0.92;
    case "done": return 1;
  }
  return 0;
}

function doing(row) {
  const f = row.file;
  const parts = [];
  switch (f.stage) {
    case "staged": return t("waits");
    case "ticket": parts.push(t("ticket")); break;
    case "upload":
      parts.push(t("upload"), t("of", bytes(f.sent), bytes(f.size)));
      if (row.rate > 0) parts.push(t("perSecond", bytes(row.rate)));
      if (f.parts + f.moving > 0) parts.push(t("parts", f.parts, f.moving));
      break;
    case "check": parts.push(t("check")); break;
    case "receipt": parts.push(t("receipt")); break;
  }
  if (f.attempts > 1) parts.push(t("attempt", f.attempts));
  if (f.resumes > 0) parts.push(t("resumed", f.resumes));
  return parts.join(" · ");
}

function ended(f) {
  const parts = [];
  switch (f.status) {
    case "delivered":
      parts.push(t("delivered", seconds(f.took)));
      if (f.attempts > 1) parts.push(t("attempts", f.attempts));
      if (f.resumes > 0) parts.push(t("resumed", f.resumes));
      if (f.parts > 0) parts.push(t("inParts", f.parts));
      if (f.kept > 0) parts.push(t("kept", f.kept));
      if (f.warning) parts.push(f.warning);
      return parts.join(" · ");
    case "skipped": return t("skipped", f.reason);
  }
  return f.message || t("failed");
}

function paint(row) {
  const f = row.file;
  const name = visible(f.key || f.path || "…");
  row.open.replaceChildren(name);
  if (f.via !== "bucket") row.open.append(make("span", { className: "tag", textContent: f.via === "ticket" ? t("byTicket") : t("http") }));
  row.open.title = name;
  row.size.textContent = f.size || f.via === "bucket" ? bytes(f.size) : "";
  row.path.textContent = row.path.title = visible(f.path || "");
  row.path.classList.toggle("same", f.path === f.key || !f.key);
  row.track.setAttribute("aria-label", name);
  const over = f.status && (row.at >= target(f) - 0.001 || f.status !== "delivered");
  row.now.textContent = over ? ended(f) : doing(row);
  if (!over) {
    delete row.el.dataset.status;
    row.checks.replaceChildren();
    row.again.hidden = true;
    return;
  }
  if (row.el.dataset.status === f.status) return;
  row.el.dataset.status = f.status;
  row.again.hidden = f.status === "delivered" || f.via !== "bucket";
  row.checks.replaceChildren(...(f.verified || []).map((c) => make("span", { textContent: "✓ " + c })));
  if (f.receipts?.length) row.checks.append(make("span", { className: "told", textContent: t("told", f.receipts.join(", ")) }));
  if (f.via === "ticket" && f.status === "delivered") row.checks.append(make("span", { className: "told", textContent: t("stored") }));
  [...row.checks.children].forEach((check, i) => check.style.setProperty("--i", i));
  announce(f, name);
  if (f.fault) showHit(f);
}

// move brings every row nearer to where its file is.
let last = 0;
function move(now) {
  const step = still.matches ? 1 : (now - last) / 900; // the whole way takes 0.9 s at least
  last = now;
  let moving = false;
  for (const row of rows.values()) {
    const to = target(row.file);
    if (row.at === to) continue;
    moving = true;
    row.at = to < row.at ? to : Math.min(to, row.at + Math.min(step, 1));
    row.track.style.setProperty("--p", row.at);
    row.track.setAttribute("aria-valuenow", Math.round(row.at * 100));
    paint(row);
  }
  if (moving) requestAnimationFrame(move); else running = false;
}
let running = false;
function wake() {
  if (running) return;
  running = true;
  last = performance.now();
  requestAnimationFrame(move);
}

// update takes files as the stream brings them.
function update(files) {
  for (const f of files) {
    if (f.race) { raced(f); continue; }
    let row = rows.get(f.id);
    if (!row) {
      row = rowOf(f);
      rows.set(f.id, row);
      $("list").prepend(row.el);
    } else {
      if (f.sent < row.from.sent) row.from = f; // another attempt
      if (f.age - row.from.age >= 400) { // by the server's clock: messages may come in a bunch
        row.rate = (f.sent - row.from.sent) / (f.age - row.from.age) * 1000;
        row.from = f;
      }
      row.file = f;
    }
    paint(row);
  }
  for (const id of [...rows.keys()].slice(0, Math.max(0, rows.size - shown))) {
    rows.get(id).el.remove();
    rows.delete(id);
    hidden++;
  }
  $("more")?.remove();
  if (hidden) $("list").append(make("li", { id: "more", className: "more", textContent: t("more", hidden) }));
  $("empty").hidden = rows.size > 0;
  wake();
}
let hidden = 0;

// announce tells a screen reader how a file ended, or how many did in the last second.
let news = [];
function announce(f, name) {
  news.push(t("liveOne", name, ended(f)));
  if (news.length > 1) return;
  setTimeout(() => {
    $("live").textContent = news.length === 1 ? news[0] : t("liveMany", news.length);
    news = [];
  }, 900);
}
