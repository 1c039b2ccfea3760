// The little that a page does by itself: live parts, times in the reader's zone, keys, writes with the token.
"use strict";
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

function tell(text, address) {
  const place = one("#told");
  place.replaceChildren(address ? Object.assign(document.createElement("a"), {href: address, textContent: text}) : text);
  place.classList.add("on");
  setTimeout(() => place.classList.remove("on"), 5000);
}

// What a server says to a request, and with which status; 0 where it says nothing.
async function said_to(address, options) {
  const answer = await fetch(address, options).catch(() => null);
  if (!answer) return {status: 0, ok: false, error: "The server does not answer: is memex serve still running?"};
  return {...await answer.json().catch(() => ({error: answer.statusText})), status: answer.status, ok: answer.ok};
}
const posted = (body) => ({method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)});

// POST a command; says what went wrong, and returns null then. Its button is not pressed twice.
async function call(address, body, button) {
  if (button) button.disabled = true;
  const data = await said_to(address, posted(body));
  if (button) button.disabled = false;
  if (!data.ok) tell(data.error);
  const piece = button?.closest("[data-piece]");  // what was answered is done with, or was gone: it is shown as it is now
  if (piece?.contains(document.activeElement)) document.activeElement.blur();
  if (piece) dispatchEvent(new Event("said"));
  return data.ok ? data : null;
}

// A model's words are shown as they come; the answer that takes their place holds those that the evidence bears.
async function word(button) {
  const card = button.closest(".answer"), said = one(".said", card);
  button.disabled = true;
  for (const more of all(".said", card).slice(1)) more.remove();
  said.textContent = "…";
  const answer = await fetch("/ask/worded?part=1", posted(JSON.parse(button.dataset.worded))).catch(() => null);
  const reader = answer?.ok && answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", ended = "The answer broke off: ask again.";
  for (let piece; reader && !(piece = await reader.read().catch(() => ({done: true}))).done;) {
    const events = (rest + piece.value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const [, name, data] = event.match(/^event: (\w+)\ndata: (.*)$/), text = JSON.parse(data);
      if (name === "words") said.textContent = text;
      else if (name === "trouble") ended = text;
      else { const fresh = one("main", new DOMParser().parseFromString(`<main>${text}</main>`, "text/html")), made = one(".answer, .warn", fresh); card.replaceWith(made); dress(made); return; }
    }
  }
  said.textContent = ended;
  button.disabled = false;
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
    let wait = 1000;
    if (answer && answer.ok) {
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = one("#" + part.id, made);
      if (fresh) { for (const piece of all("[data-piece]", fresh)) renewPiece(piece); if ("behind" in fresh.dataset) { again = true; wait = Number(fresh.dataset.behind); } }
      else location.reload();  // what was waited for is a page of its own
    } else if (answer && "behind" in part.dataset) location.reload();
    setTimeout(() => { busy = false; if (again) { again = false; renew(); } }, wait);
  }
  source.addEventListener("landed", renew);
  addEventListener("said", renew);
  if ("behind" in part.dataset) setTimeout(renew, Number(part.dataset.behind));
}

// A piece is replaced only where it changed, never under the cursor of somebody who types, and what was typed stays.
const shown = new Map();
function renewPiece(fresh) {
  const old = document.getElementById(fresh.id);
  const text = fresh.innerHTML;
  if (!old || shown.get(fresh.id) === text || one("input:focus, textarea:focus", old)) return;
  const typed = all("input[id], textarea[id]", old).map((field) => [field.id, field.value]);
  const focus = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
  shown.set(fresh.id, text);
  old.replaceChildren(...fresh.childNodes);
  dress(old);
  for (const [id, value] of typed) { const field = document.getElementById(id); if (field) field.value = value; }
  if (focus) one(`a[href="${CSS.escape(focus)}"]`, old)?.focus({preventScroll: true});
}

let submitting = 0;
function dress(within) {
  localTimes(within);
  advance();
  for (const field of all("[data-submit]", within)) field.addEventListener("change", () => {
    clearTimeout(submitting);
    // Keys come one after the other: it waits for the last, and whoever comes back is where they were.
    submitting = setTimeout(() => { sessionStorage.setItem("focus", JSON.stringify([field.name, field.value, field.type])); field.form.requestSubmit(); }, field.type === "select-one" ? 0 : 400);
  });
  for (const form of all("form[data-call]", within)) form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = Object.fromEntries([...new FormData(form, event.submitter)].filter(([, value]) => value !== ""));
    const done = await call(form.dataset.call, body, event.submitter);
    if (done) { tell(done.text || form.dataset.done || "Done."); if (form.dataset.then) location.href = form.dataset.then; else if ("reload" in form.dataset) location.reload(); }
  });
  for (const button of all("[data-post]", within)) button.addEventListener("click", async () => {
    if (button.dataset.ask && !confirm(button.dataset.ask)) return;
    const done = await call(button.dataset.post, JSON.parse(button.dataset.body || "{}"), button);
    const saved = done?.data?.files?.[0]?.match?.(/^wiki\/(.+)\.md$/);
    if (saved) tell(`Saved: ${done.data.question}`, `/wiki/${encodeURI(saved[1])}`);
    else if (done) { tell(done.text || "Done."); if ("reload" in button.dataset) location.reload(); }
  });
  for (const list of all("[data-review]", within)) judge(list);
  for (const button of all("[data-worded]", within)) button.addEventListener("click", () => word(button));
}

const left = JSON.parse(sessionStorage.getItem("focus") || "null");
sessionStorage.removeItem("focus");
if (left) all("[data-submit]").find((field) => field.name === left[0] && (left[2] !== "checkbox" || field.value === left[1]))?.focus({preventScroll: true});
for (const list of all(".contents")) { const here = one("[aria-current]", list); if (here) list.scrollTop = here.offsetTop - list.offsetTop - list.clientHeight / 3; }

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
  if (event.key === "/") { const field = one("[data-search]") || one("[data-find]"); if (field) { event.preventDefault(); field.focus(); field.select?.(); } }
  if (event.key === "x") one("tr.at input[type=checkbox]")?.click();
  if (event.key === "j" || event.key === "k") {
    const rows = ["[data-rows] tbody tr, [data-rows] > li", ".index li:not([hidden])", ".lineage a", "main table tbody tr"].map((kind) => all(kind)).find((found) => found.length);
    if (!rows) return;
    const at = rows.findIndex((row) => row.classList.contains("at"));
    const next = Math.max(0, Math.min(rows.length - 1, at + (event.key === "j" ? 1 : -1)));
    rows.forEach((row, i) => row.classList.toggle("at", i === next));
    rows[next].scrollIntoView({block: "nearest"});
    const link = rows[next].matches("a") ? rows[next] : one("a", rows[next]);
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
  const edge = anchor.closest(".text")?.getBoundingClientRect().right ?? innerWidth;
  const beside = innerWidth - edge > 260;  // where it covers no sentence
  peek.style.maxWidth = beside ? `${innerWidth - edge - 24}px` : "";
  const left = beside ? edge + 12 : Math.max(8, Math.min(box.left, innerWidth - peek.offsetWidth - 12));
  const below = box.bottom + peek.offsetHeight + 12 < innerHeight;
  const top = below ? box.bottom + 6 : box.top - peek.offsetHeight - 6;
  peek.style.left = `${left + scrollX}px`;
  peek.style.top = `${(beside ? Math.min(box.top, innerHeight - peek.offsetHeight - 8) : top) + scrollY}px`;
}
function look(event) {
  const anchor = event.target.closest?.(".footnote-ref a, a.page");
  clearTimeout(peeking);
  if (!anchor) { if (!event.target.closest?.("#peek")) peeking = setTimeout(() => { peek.hidden = true; }, 400); return; }
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

// Search as you type: a list under the field of the head, moved in with the arrow keys.
const find = one("[data-find]"), found = one("#found");
let asked = 0, marked = -1, typing = 0, lastKey = "";
function mark(to) {
  const rows = all("li[role=option]", found);
  marked = rows.length ? (to + rows.length) % rows.length : -1;
  rows.forEach((row, i) => row.setAttribute("aria-selected", String(i === marked)));
  if (marked >= 0) { rows[marked].scrollIntoView({block: "nearest"}); find.setAttribute("aria-activedescendant", rows[marked].id); }
  else find.removeAttribute("aria-activedescendant");
}
function close() { found.hidden = true; find.setAttribute("aria-expanded", "false"); mark(-1); }
async function look_up() {
  const number = ++asked, text = find.value.trim();
  if (!text) { found.replaceChildren(); close(); return; }
  const answer = await fetch("/search?json=1&q=" + encodeURIComponent(text)).catch(() => null);
  if (!answer || !answer.ok || number !== asked) return;
  const hits = (await answer.json()).data;
  found.replaceChildren(...hits.map((hit, i) => {
    const row = Object.assign(document.createElement("li"), {id: "found-" + i, role: "option"});
    const link = Object.assign(document.createElement("a"), {href: hit.at, textContent: hit.title, tabIndex: -1});
    const kind = Object.assign(document.createElement("small"), {textContent: hit.kind + (hit.date && " · " + hit.date) + (hit.told.length ? " · " : "")});
    for (const [marked, piece] of hit.told) kind.append(marked ? Object.assign(document.createElement("mark"), {textContent: piece}) : piece);
    link.append(kind); row.append(link);
    return row;
  }));
  if (!hits.length) found.append(Object.assign(document.createElement("li"), {role: "option", textContent: "Nothing has these words"}));
  found.hidden = false;
  find.setAttribute("aria-expanded", "true");
  marked = -1;
}
find.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(look_up, 120); });
find.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); mark(marked < 0 && event.key === "ArrowUp" ? -1 : marked + (event.key === "ArrowDown" ? 1 : -1)); }
  if (event.key === "Enter" && marked >= 0) { const link = all("li[role=option]", found)[marked].querySelector("a"); if (link) { event.preventDefault(); link.click(); } }
  if (event.key === "Escape") close();
});
find.form.addEventListener("focusout", () => setTimeout(() => { if (!find.form.contains(document.activeElement)) close(); }, 150));
document.addEventListener("keydown", (event) => {
  if (event.key === "s" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.defaultPrevented && !event.target.closest("input, textarea, select, [contenteditable], dialog") && waiting !== "g" && lastKey !== "g") { event.preventDefault(); find.focus(); find.select(); }
  lastKey = event.key;
});

// The index of the wiki: what has not all of the words is put away, and headings with nothing left below them.
for (const field of all("[data-narrow]")) {
  const lists = all(".index ul").map((list) => [list, all("li", list).map((row) => [row, row.textContent.toLowerCase()])]);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const [list, rows] of lists) {
      for (const [row, text] of rows) row.hidden = !words.every((word) => text.includes(word));
      list.hidden = list.previousElementSibling.hidden = rows.every(([row]) => row.hidden);
    }
  });
}

// In the graph, the lines of the thing under the pointer or the keyboard stand out, and what they lead to.
function trace(event) {
  const node = event.target.closest?.("a[data-n]");
  for (const lit of all(".graph .on, .graph .near")) lit.classList.remove("on", "near");
  if (!node) return;
  for (const line of all(`.graph path[data-a="${node.dataset.n}"], .graph path[data-b="${node.dataset.n}"]`)) {
    line.classList.add("on");
    for (const end of [line.dataset.a, line.dataset.b]) if (end !== node.dataset.n) one(`.graph [data-n="${end}"]`)?.classList.add("near");
  }
}
if (one(".graph")) { document.addEventListener("mouseover", trace); document.addEventListener("focusin", trace); }

// Runs: two to six ticked boxes may be compared.
for (const form of all("form[data-compare]")) form.addEventListener("change", () => {
  const ticked = all("input[type=checkbox]:checked", form).length, button = one("button", form);
  button.disabled = ticked < 2 || ticked > 6;
  button.textContent = ticked > 6 ? "Compare: at most six" : ticked > 1 ? `Compare these ${ticked}` : "Compare the ticked";
});

// program.md is saved only over the text that was read; what somebody else wrote meanwhile is shown, not lost.
for (const form of all("form[data-program]")) {
  const field = form.elements.text, was = form.elements.was, conflict = one("[data-conflict]", form);
  let theirs = null;
  const save = async (over) => {
    const data = await said_to("/program", posted({text: field.value, was: over}));
    conflict.hidden = data.status !== 409;
    if (data.status === 409) { theirs = data; one("pre", conflict).textContent = data.text; return; }
    if (data.ok) { was.value = data.hash; field.defaultValue = field.value; }
    tell(data.text || data.error);
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); save(was.value); });
  one("[data-mine]", form).addEventListener("click", () => save(theirs.hash));
  one("[data-theirs]", form).addEventListener("click", () => { field.value = field.defaultValue = theirs.text; was.value = theirs.hash; conflict.hidden = true; });
  addEventListener("beforeunload", (event) => { if (field.value !== field.defaultValue) event.preventDefault(); });
}

// Sources: files are saved one by one, then read together; what goes wrong with one does not stop the others.
for (const form of all("#drop")) {
  const bar = one("progress", form), said = one("[role=status]", form);
  const send = async (address, options) => {
    const data = await said_to(address, options);
    if (!data.ok) throw new Error(data.error);
    return data;
  };
  // The list is renewed below what was said of it.
  const renewList = async () => {
    const answer = await fetch(location).catch(() => null), list = one("[data-rows]");
    const made = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html"), fresh = made && one("[data-rows]", made);
    if (made) one("[data-total]").textContent = one("[data-total]", made).textContent;
    if (fresh && list) list.replaceWith(fresh); else if (fresh) location.reload();
  };
  const take = async (names, troubles) => {
    if (names === null || names.length) {
      bar.removeAttribute("value");
      said.textContent = `Reading ${names ? names.length + " new" : "all of raw/"} …`;
      try { said.textContent = (await send("/sources/take", posted({names: names || []}))).text; } catch (error) { troubles.push(error.message); }
    }
    bar.hidden = true;
    if (troubles.length) said.textContent = [...troubles, ...(names?.length ? [said.textContent] : [])].join("\n");
    await renewList();
  };
  const upload = async (files) => {
    const names = [], troubles = [];
    bar.hidden = false;
    for (const [i, file] of [...files].entries()) {
      said.textContent = `Saving ${i + 1} of ${files.length}: ${file.name}`;
      bar.value = i / files.length;
      try { names.push((await send("/sources/upload", {method: "POST", headers: {"content-type": "application/octet-stream", "x-name": encodeURIComponent(file.name)}, body: file})).name); }
      catch (error) { troubles.push(error.message); }
    }
    await take(names, troubles);
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    bar.hidden = false;
    bar.removeAttribute("value");
    said.textContent = "Fetching …";
    try { said.textContent = (await send("/sources/take", posted({url: form.elements.url.value}))).text; bar.hidden = true; await renewList(); } catch (error) { said.textContent = error.message; bar.hidden = true; }
  });
  form.elements.files.addEventListener("change", () => upload(form.elements.files.files));
  one("[data-all]", form).addEventListener("click", () => { bar.hidden = false; take(null, []); });
  document.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
  document.addEventListener("dragleave", () => form.classList.remove("over"));
  document.addEventListener("drop", (event) => { event.preventDefault(); form.classList.remove("over"); if (event.dataTransfer.files.length) upload(event.dataTransfer.files); });
}

// In a source, words that are selected can be quoted, asked about, or made a claim of.
for (const text of all("[data-source]")) {
  const pick = one("#pick"), dialog = one("#claim");
  let words = "", from = 0, to = 0, held = false;
  // A quote is made of whole words, also where the pointer came down within one.
  const whole = (range) => {
    const grown = range.cloneRange(), inside = (node, i) => /^[\p{L}\p{N}]{2}$/u.test(node.data?.slice(i - 1, i + 1) ?? "");
    while (!range.collapsed && grown.startOffset && inside(grown.startContainer, grown.startOffset)) grown.setStart(grown.startContainer, grown.startOffset - 1);
    while (!range.collapsed && inside(grown.endContainer, grown.endOffset)) grown.setEnd(grown.endContainer, grown.endOffset + 1);
    const piece = grown.cloneContents();
    for (const note of all(".note", piece)) note.remove();
    // A gap between paragraphs is an empty one, and words do not run together over it.
    for (const gap of all(".gap, .h, .br", piece)) gap.append(" ");
    return piece.textContent.replace(/\s+/g, " ").trim();
  };
  const line = (node) => Number((node.nodeType === 3 ? node.parentElement : node).closest("p[id^=L]")?.id.slice(1) || 0);
  // Nothing comes up under a pointer that still selects: it would be selected too.
  document.addEventListener("pointerdown", (event) => { held = !event.target.closest("#pick") && event.pointerType === "mouse"; });
  document.addEventListener("pointerup", () => { if (held) { held = false; offer(); } });
  document.addEventListener("selectionchange", () => { if (!held) offer(); else pick.hidden = true; });
  function offer() {
    if (dialog?.open) return;
    const range = document.getSelection().rangeCount ? document.getSelection().getRangeAt(0) : null;
    words = range && text.contains(range.commonAncestorContainer) ? whole(range) : "";
    pick.hidden = words.length < 3;
    if (pick.hidden) return;
    [from, to] = [line(range.startContainer), line(range.endContainer)];
    const box = range.getBoundingClientRect();
    pick.style.left = `${Math.max(8, Math.min(box.left, innerWidth - pick.offsetWidth - 12)) + scrollX}px`;
    pick.style.top = `${(box.top - pick.offsetHeight - 8 > 60 ? box.top - pick.offsetHeight - 8 : box.bottom + 8) + scrollY}px`;
  }
  // By keys: j and k select a paragraph, q and c do with it what the buttons do.
  const paragraphs = [[]];
  for (const p of all("p[id^=L]", text)) { if (p.matches(".gap, .h, .rule")) paragraphs.push([]); else paragraphs.at(-1).push(p); }
  const full = paragraphs.filter((found) => found.length);
  let here = -1;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if ((event.key === "j" || event.key === "k") && full.length) {
      here = Math.max(0, Math.min(full.length - 1, here + (event.key === "j" ? 1 : -1)));
      const range = document.createRange(), [first, last] = [full[here][0], full[here].at(-1)];
      range.setStartBefore(first.firstChild || first);
      range.setEndAfter(last.lastChild || last);
      first.scrollIntoView({block: "center"});
      document.getSelection().removeAllRanges();
      document.getSelection().addRange(range);
    }
    const button = !pick.hidden && waiting !== "g" && one(`[data-pick][title="${CSS.escape(event.key)}"]`, pick);
    if (button) { event.preventDefault(); button.click(); }
  });
  pick.addEventListener("mousedown", (event) => event.preventDefault());
  pick.addEventListener("click", async (event) => {
    const kind = event.target.dataset.pick;
    // The words themselves are no question: what else is said about them is asked once there is one.
    if (kind === "ask") location.href = "/ask?about=" + encodeURIComponent(words.slice(0, 300));
    if (kind === "quote") { await navigator.clipboard.writeText(`“${words}” (${text.dataset.source}, line ${from}: ${location.origin}${text.dataset.at}?line=${from}&last=${to}#L${from})`); tell("Copied, with its place."); }
    if (kind === "claim") { one("blockquote", dialog).textContent = words; one("[role=alert]", dialog).hidden = true; dialog.showModal(); one("textarea", dialog).focus(); }
  });
  dialog?.addEventListener("submit", async (event) => {
    if (event.submitter?.value !== "save") return;
    event.preventDefault();
    const form = event.target, trouble = one("[role=alert]", dialog);
    const body = {source: text.dataset.source, subject: form.elements.subject.value, sentence: form.elements.sentence.value, quote: words, line: from, last: to};
    event.submitter.disabled = true;
    const data = await said_to("/sources/claim", posted(body));
    event.submitter.disabled = false;
    if (!data.ok) { trouble.textContent = data.error; trouble.hidden = false; return; }
    dialog.close();
    location.href = `${text.dataset.at}?line=${from}&last=${to}#L${from}`;
  });
}

// A page of the wiki as its sources had it by a day: what only later ones say is struck out.
for (const form of all("[data-asof]")) {
  const dates = JSON.parse(form.dataset.asof), days = [...new Set(Object.values(dates))].sort();
  const slider = one("input", form), day = one("output", form), said = one("[role=status]", form), page = form.parentElement;
  const noted = new Map(all(".footnotes li[id]", page).map((note) => [note.id, dates[(one("a[href^='/sources/']", note)?.getAttribute("href").match(/\d+/) || [])[0]] || ""]));
  const blocks = all("p, li", page).filter((block) => !block.closest(".footnotes, .asof") && !one("p, li", block)).map((block) => [block, [block.dataset.since, all(".footnote-ref a", block).map((ref) => noted.get(ref.hash.slice(1)) || "").sort()[0]].filter((day) => day !== undefined).sort().pop()]).filter(([, first]) => first !== undefined);
  slider.max = days.length;
  slider.value = days.length;
  slider.addEventListener("input", () => {
    const now = Number(slider.value) === days.length ? "" : days[slider.value];
    let stood = 0;
    for (const [block, first] of blocks) { const later = now && first > now; block.classList.toggle("later", Boolean(later)); stood += !later; }
    day.textContent = now || "today";
    slider.setAttribute("aria-valuetext", now || "today");
    said.textContent = now ? `${stood} of ${blocks.length} sentences stood in a source by then` : "";
  });
}

// A block of a wiki page is edited where it stands; saved, it is a claim of the person.
if (document.body.dataset.mayWrite === "1") for (const page of all("article.page[data-page]")) for (const block of all("p[id^=b-c], li[id^=b-c]", page)) {
  const button = Object.assign(document.createElement("button"), {textContent: "edit", className: "quiet edit", type: "button"});
  button.setAttribute("aria-label", "edit: " + block.textContent.trim().slice(0, 60));
  block.append(" ", button);
  button.addEventListener("click", async () => {
    const place = {page: page.dataset.page, block: block.id.slice(2)};
    const data = await said_to("/wiki-block?" + new URLSearchParams(place));
    if (!data.ok) { tell(data.error); return; }
    const field = Object.assign(document.createElement("textarea"), {value: data.text, ariaLabel: "this block, in Markdown"});
    const save = Object.assign(document.createElement("button"), {textContent: "Save as mine", className: "main", type: "button"});
    const stop = Object.assign(document.createElement("button"), {textContent: "Cancel", type: "button"});
    const form = document.createElement("div");
    form.className = "editing";
    form.append(field, save, stop);
    block.hidden = true;
    block.after(form);
    field.focus();
    stop.addEventListener("click", () => { form.remove(); block.hidden = false; button.focus(); });
    save.addEventListener("click", async () => {
      const done = await call("/wiki-block", {...place, was: data.text, text: field.value});
      if (done) location.reload();
    });
  });
}

// Review: a word is held for six seconds, so that it can be undone; the next word, or leaving, sends it.
function judge(list) {
  let held = null, before = "", meant = [];
  const here = () => document.activeElement.closest?.("[data-item]") || one("[data-item]:not([hidden])", list);
  const step = (row, way) => { let to = row; do { to = way > 0 ? to?.nextElementSibling : to?.previousElementSibling; } while (to?.hidden); to?.focus(); };
  async function send() {
    if (!held) return;
    const {row, body, timer} = held;
    held = null;
    clearTimeout(timer);
    const answer = await said_to("/api/review", {...posted(body), keepalive: true});
    if (answer.ok) { row.remove(); if (!one("[data-item]", list)) location.reload(); return; }
    const trouble = one("[role=alert]", row);
    row.hidden = trouble.hidden = false;
    trouble.textContent = answer.error;
    one("[name=why]", row).focus();
  }
  function say(row, word) {
    if (word === "edit") { one("[data-text]", row).hidden = false; one("textarea", row).focus(); return; }
    const decision = word === "save" ? "edit" : word, why = one("[name=why]", row);
    if (!why.value.trim()) { meant = [row, word]; why.focus(); tell(`${decision}: type a reason, then Enter`); return; }
    send();
    const body = {item: row.dataset.item, decision, why: why.value};
    if (word === "save") body.text = one("textarea", row).value;
    step(row, 1);
    row.hidden = true;
    held = {row, body, timer: setTimeout(send, 6000)};
    tell(`${decision}: u takes it back`);
  }
  list.addEventListener("click", (event) => { const word = event.target.dataset?.word; if (word) say(event.target.closest("[data-item]"), word); });
  list.addEventListener("keydown", (event) => {
    const row = event.key === "Escape" && event.target.closest("[data-item]");
    if (row) { one("[data-text]", row).hidden = true; row.focus(); }
    if (event.key === "Enter" && event.target.name === "why" && meant[0]?.contains(event.target)) { event.preventDefault(); say(...meant); }
  });
  addEventListener("pagehide", send);
  document.addEventListener("keydown", (event) => {
    if (!list.isConnected || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    const row = here(), word = {a: "accept", r: "reject", e: "edit"}[event.key];
    setTimeout(() => { before = event.key; });
    if (event.key === "u" && held) { clearTimeout(held.timer); held.row.hidden = false; held.row.focus(); held = null; tell("Taken back."); }
    else if (row && (event.key === "j" || event.key === "k")) { if (document.activeElement === row) step(row, event.key === "j" ? 1 : -1); else row.focus(); }
    else if (word && row && one("[data-word]", row) && before !== "g") { event.preventDefault(); say(row, word); }
  });
}
