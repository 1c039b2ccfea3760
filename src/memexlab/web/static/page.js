// The little that a page does by itself: live parts, times in the reader's zone, keys, writes with the token.
"use strict";
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

function tell(text) {
  const place = one("#told");
  place.textContent = text;
  place.classList.add("on");
  setTimeout(() => place.classList.remove("on"), 5000);
}

// POST a command; says what went wrong, and returns null then.
async function call(address, body) {
  let answer;
  try {
    answer = await fetch(address, {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)});
  } catch (error) {
    tell("The server does not answer: is memex serve still running?");
    return null;
  }
  const data = await answer.json().catch(() => ({error: answer.statusText}));
  if (!answer.ok) { tell(data.error); return null; }
  return data;
}

function localTimes(within) {
  for (const time of all("time[datetime]", within)) {
    const when = new Date(time.dateTime);
    if (isNaN(when)) continue;
    const today = when.toDateString() === new Date().toDateString();
    time.textContent = when.toLocaleString([], today ? {timeStyle: "short"} : {dateStyle: "medium", timeStyle: "short"});
    time.title = time.dateTime;
  }
}

function advance() {
  for (const bar of all("progress[data-since]")) {
    const seconds = Number(bar.dataset.seconds);
    if (seconds) bar.value = Math.min(1, (Date.now() - new Date(bar.dataset.since)) / 1000 / seconds);
  }
}

// A part that follows the ledger is fetched again when entries have landed, at most once a second.
function follow(part) {
  let busy = false, again = false;
  const source = new EventSource("/events");
  async function renew() {
    if (busy) { again = true; return; }
    busy = true;
    const address = new URL(location.href);
    address.searchParams.set("part", "1");
    const answer = await fetch(address).catch(() => null);
    if (answer && answer.ok && !part.contains(document.activeElement)) {
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = one("#" + part.id, made);
      if (fresh) { part.replaceChildren(...fresh.childNodes); dress(part); }
    }
    setTimeout(() => { busy = false; if (again) { again = false; renew(); } }, 1000);
  }
  source.addEventListener("landed", renew);
}

function dress(within) {
  localTimes(within);
  advance();
  for (const field of all("[data-submit]", within)) field.addEventListener("change", () => field.form.requestSubmit());
  for (const form of all("form[data-call]", within)) form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = Object.fromEntries([...new FormData(form, event.submitter)].filter(([, value]) => value !== ""));
    const done = await call(form.dataset.call, body);
    if (done) { tell(done.text || form.dataset.done || "Done."); if (form.dataset.then) location.href = form.dataset.then; else if ("reload" in form.dataset) location.reload(); }
  });
  for (const button of all("[data-post]", within)) button.addEventListener("click", async () => {
    if (button.dataset.ask && !confirm(button.dataset.ask)) return;
    const done = await call(button.dataset.post, JSON.parse(button.dataset.body || "{}"));
    if (done) { tell(done.text || "Done."); if ("reload" in button.dataset) location.reload(); }
  });
}

let waiting = "";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const place = waiting === "g" && one(`nav a[data-key="${CSS.escape(event.key)}"]`);
  waiting = event.key === "g" && !waiting ? "g" : "";
  if (place) { place.click(); return; }
  if (event.key === "?") one("#help").showModal();
  if (event.key === "/") { const field = one("[data-search]"); if (field) { event.preventDefault(); field.focus(); field.select(); } }
  if (event.key === "j" || event.key === "k") {
    const rows = all("[data-rows] tbody tr, [data-rows] > li");
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.classList.contains("at"));
    const next = Math.max(0, Math.min(rows.length - 1, at + (event.key === "j" ? 1 : -1)));
    rows.forEach((row, i) => row.classList.toggle("at", i === next));
    rows[next].scrollIntoView({block: "nearest"});
    const link = one("a", rows[next]);
    if (link) link.focus({preventScroll: true});
  }
});

one("#keys").addEventListener("click", () => one("#help").showModal());
dress(document);
for (const part of all("[data-live]")) follow(part);
setInterval(advance, 500);

// A look at what stands behind a footnote or a link, without leaving the page.
const peek = document.body.appendChild(Object.assign(document.createElement("div"), {id: "peek", hidden: true}));
let peeking = 0;
function show(anchor, fill) {
  peek.replaceChildren();
  fill(peek);
  peek.hidden = false;
  const box = anchor.getBoundingClientRect();
  const left = Math.max(8, Math.min(box.left, innerWidth - peek.offsetWidth - 12));
  const below = box.bottom + peek.offsetHeight + 12 < innerHeight;
  peek.style.left = `${left + scrollX}px`;
  peek.style.top = `${(below ? box.bottom + 6 : box.top - peek.offsetHeight - 6) + scrollY}px`;
}
function look(event) {
  const anchor = event.target.closest?.(".footnote-ref a, a.page");
  clearTimeout(peeking);
  if (!anchor) { if (!event.target.closest?.("#peek")) peeking = setTimeout(() => { peek.hidden = true; }, 250); return; }
  peeking = setTimeout(async () => {
    if (anchor.matches(".footnote-ref a")) {
      const note = document.getElementById(anchor.hash.slice(1));
      if (note) show(anchor, (box) => { const copy = note.cloneNode(true); copy.querySelectorAll(".footnote-backref").forEach((link) => link.remove()); box.append(...copy.childNodes); });
      return;
    }
    const answer = await fetch(anchor.href.split("#")[0] + "?preview=1").catch(() => null);
    if (!answer || !answer.ok) return;
    const page = await answer.json();
    show(anchor, (box) => { const title = document.createElement("b"); title.textContent = page.title; box.append(title, page.text); });
  }, 180);
}
document.addEventListener("mouseover", look);
document.addEventListener("focusin", look);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") peek.hidden = true; });
