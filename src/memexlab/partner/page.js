// Opens the words of a source around a quote, searches all the texts, keeps a reader's judgements. Loads nothing.
"use strict";
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const about = JSON.parse(one("#about").textContent);
document.documentElement.classList.add("scripted");

// Packed parts: opened when they are first asked for, and kept.
const opened = new Map();
function bytes(number) {
  if (!opened.has(number)) {
    const packed = Uint8Array.from(atob(one("#b" + number).textContent), letter => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    opened.set(number, new Response(stream).arrayBuffer());
  }
  return opened.get(number);
}
const decoder = new TextDecoder();
const parts = new Map();
async function part(number) {
  if (!parts.has(number)) parts.set(number, decoder.decode(await bytes(number)));
  return parts.get(number);
}
let mapped;
const map = () => mapped ||= bytes(about.parts).then(data => JSON.parse(decoder.decode(data)));

async function text(source, from, to) {
  let at = 0, out = "";
  for (const [i, units] of source.units.entries()) {
    if (at < to && at + units > from) out += (await part(source.part + i)).slice(Math.max(0, from - at), to - at);
    at += units;
  }
  return out;
}
const whole = source => source.units.reduce((sum, units) => sum + units, 0);
const nobody = [0, 0, "unknown", "", ""];
function segmentAt(source, place) {
  let low = 0, high = source.voices.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1, segment = source.voices[middle], [start, end] = segment;
    if (place < start) high = middle - 1; else if (place >= end) low = middle + 1; else return segment;
  }
  return nobody;
}
const badge = voice => Object.assign(document.createElement("span"), {className: "voice v-" + voice, textContent: voice});
const units = (source, place) => place + source.wide.filter(wide => wide < place).length;

// Reading: the words of a quote with sentences before and after.
const reader = one("#reader");
let reading = null;
async function read(address, sentences = 5) {
  const match = /^#q=S(\d+):(\d+)-(\d+)$/.exec(address);
  if (!match) return;
  const source = (await map()).sources.find(source => source.entry === Number(match[1]));
  if (!source) return;
  const start = units(source, Number(match[2])), end = units(source, Number(match[3]));
  const room = 900 * sentences, from = Math.max(0, start - room), to = Math.min(whole(source), end + room);
  const around = await text(source, from, to), first = start - from, last = end - from;
  const ends = [0];
  for (const stop of around.matchAll(/[.!?]['")\]”’]*\s+|\n\s*\n/g)) ends.push(stop.index + stop[0].length);
  ends.push(around.length);
  const before = ends.filter(place => place <= first), after = ends.filter(place => place >= last);
  const a = before[Math.max(0, before.length - 1 - sentences)], b = after[Math.min(after.length - 1, sentences)];
  const body = one("#reader-text"), mark = document.createElement("mark");
  mark.textContent = around.slice(first, last);
  body.replaceChildren(around.slice(a, first), mark, around.slice(last, b));
  one("#reader-title").textContent = source.title;
  const [, , voice, date, kind] = segmentAt(source, start);
  one("#reader-about").replaceChildren(`${kind || source.kind}, ${date || source.date || "no date"} `, badge(voice));
  one("#reader-told").textContent = "";
  reading = {address, sentences, source, quote: around.slice(first, last).replace(/\s+/g, " ")};
  if (!reader.open) reader.showModal();
  mark.scrollIntoView({block: "center"});
}
function address(hash) {
  if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname + location.search);
}
async function copy(words, told) {
  try { await navigator.clipboard.writeText(words); told.textContent = "copied"; }
  catch { told.textContent = words; }
}
one("#reader-close").addEventListener("click", () => reader.close());
one("#reader-more").addEventListener("click", () => read(reading.address, reading.sentences + 10));
one("#reader-link").addEventListener("click", () => copy(location.href.replace(/#.*/, "") + reading.address, one("#reader-told")));
one("#reader-cite").addEventListener("click", () => copy(
  `“${reading.quote}” (${about.person}, ${reading.source.title}, ${reading.source.date || "no date"}, ${reading.address.slice(3)})`, one("#reader-told")));
reader.addEventListener("close", () => address(""));
reader.addEventListener("click", event => { if (event.target === reader) reader.close(); });

// Search: words by the index, a phrase by looking; the last word may be half typed.
let indexed;
async function index() {
  const [names, postings] = await Promise.all([bytes(about.parts + 1), bytes(about.parts + 2)]);
  const words = decoder.decode(names).split("\n"), data = new Uint8Array(postings), lists = [];
  let at = 0;
  const next = () => { let value = 0, shift = 0, byte; do { byte = data[at++]; value |= (byte & 127) << shift; shift += 7; } while (byte & 128); return value; };
  for (let i = 0; i < words.length && at < data.length; i++) {
    const list = new Uint32Array(next());
    for (let j = 0, sum = 0; j < list.length; j++) list[j] = sum += next();
    lists.push(list);
  }
  for (let i = 0; i < about.parts; i++) await part(i);
  return {words, lists, ...await map()};
}
const cut = words => words.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
function from(words, word) {
  let low = 0, high = words.length;
  while (low < high) { const middle = (low + high) >> 1; if (words[middle] < word) low = middle + 1; else high = middle; }
  return low;
}
function passagesOf({words, lists}, word, begun) {
  const found = new Set();
  for (let i = from(words, word); i < words.length && (words[i] === word || (begun && words[i].startsWith(word))); i++)
    for (const passage of lists[i]) found.add(passage);
  return found;
}
function textNow(source, start, end) {
  let at = 0, out = "";
  for (const [i, size] of source.units.entries()) {
    if (at < end && at + size > start) out += parts.get(source.part + i).slice(Math.max(0, start - at), end - at);
    at += size;
  }
  return out;
}
function find(held, asked, want, most = 40) {
  const words = cut(asked);
  if (!words.length) return [];
  let left = null;
  words.forEach((word, i) => {
    const has = passagesOf(held, word, i === words.length - 1 && word.length > 2);
    left = left ? new Set([...left].filter(passage => has.has(passage))) : has;
  });
  const phrase = words.join(" "), hits = [];
  for (const number of left) {
    const [s, start, end] = held.passages[number];
    hits.push({number, source: held.sources[s], start, end});
    if (hits.length >= 4000) break;
  }
  const told = [];
  for (const hit of hits) {
    const words_ = textNow(hit.source, hit.start, hit.end), plain = words_.normalize("NFC").toLowerCase();
    const exact = plain.replace(/\s+/g, " ").includes(phrase);
    const places = words.map(word => plain.indexOf(word)).filter(place => place >= 0);
    const near = exact ? Math.max(0, plain.search(new RegExp(words.map(word => word.replace(/[^\p{L}\p{N}]/gu, "")).join("[^\\p{L}\\p{N}]+"), "u"))) : Math.min(...places, words_.length);
    const [, , voice, date, kind] = segmentAt(hit.source, hit.start + near), year = Number((date || hit.source.date).slice(0, 4)) || 0;
    if ((want.voice && voice !== want.voice) || (want.kind && kind !== want.kind)) continue;
    if ((want.from && year < want.from) || (want.to && year > want.to)) continue;
    told.push({...hit, words: words_, near, voice, date: date || hit.source.date, rank: (exact ? 0 : 2) + (voice === "own" ? 0 : 1)});
    if (told.length >= 400) break;
  }
  told.sort((a, b) => a.rank - b.rank || a.number - b.number);
  const shown = told.slice(0, most);
  shown.total = told.length;
  return shown;
}
function sentence(hit) {
  const stops = [...hit.words.matchAll(/[.!?]['")\]”’]*\s+|\n\s*\n/g)].map(stop => stop.index + stop[0].length);
  let start = 0, end = hit.words.length;
  for (const stop of stops) { if (stop <= hit.near) start = stop; else { end = stop; break; } }
  return [start, end];
}
let waiting = 0;
async function search() {
  const asked = one("#ask").value.trim(), list = one("#hits"), told = one("#told"), turn = ++waiting;
  if (asked.length < 2) { list.replaceChildren(); told.textContent = ""; return; }
  if (!indexed) told.textContent = "opening the texts…";
  const held = await (indexed ||= index());
  if (turn !== waiting) return;
  const began = performance.now();
  const want = {kind: one("#f-kind").value, voice: one("#f-voice").value, from: Number(one("#f-from").value), to: Number(one("#f-to").value)};
  const hits = find(held, asked, want), took = performance.now() - began;
  told.textContent = hits.length ? `${hits.total}${hits.total >= 400 ? " or more" : ""} passages in ${took.toFixed(0)} ms` : `not in this corpus (${took.toFixed(0)} ms)`;
  told.dataset.ms = took.toFixed(2);
  const words = cut(asked);
  list.replaceChildren(...hits.map(hit => {
    const [start, end] = sentence(hit), row = document.createElement("li"), link = document.createElement("a");
    const back = place => place - hit.source.wide.filter((wide, i) => wide + i < place).length;
    link.href = `#q=S${hit.source.entry}:${back(hit.start + start)}-${back(hit.start + end)}`;
    const said = hit.words.slice(start, end).trim().slice(0, 420), pattern = new RegExp(`(${words.join("|")})`, "giu");
    said.split(pattern).forEach((piece, i) => link.append(i % 2 ? Object.assign(document.createElement("mark"), {textContent: piece}) : piece));
    const from_ = document.createElement("cite");
    from_.append(`${hit.source.title}, ${hit.date || "no date"} `, badge(hit.voice));
    row.append(link, from_);
    return row;
  }));
}
one("#search").addEventListener("submit", event => { event.preventDefault(); search(); });
one("#search").addEventListener("input", search);
one("#ask").addEventListener("focus", () => { indexed ||= index(); }, {once: true});

// Review: a judgement on each statement, kept in this browser.
const shelf = "memex-review-" + about.slug;
const judged = (() => { try { return JSON.parse(localStorage.getItem(shelf)) || {}; } catch { return {}; } })();
const cards = () => all(".st").filter(card => card.offsetParent);
let at = null;
function keep() {
  try { localStorage.setItem(shelf, JSON.stringify(judged)); } catch { /* a browser may keep nothing: saving still works */ }
  dress();
}
function dress() {
  for (const card of all(".st")) card.dataset.judged = judged[card.dataset.key]?.decision || "";
  const said = Object.values(judged), count = word => said.filter(row => row.decision === word).length;
  one("#judged").textContent = `${count("accept")} accepted, ${count("reject")} rejected, ${count("edit")} edited`;
}
function go(card) {
  at?.classList.remove("at");
  at = card;
  if (!at) return;
  at.classList.add("at");
  at.scrollIntoView({block: "center"});
  at.focus({preventScroll: true});
  one("#judge-what").textContent = at.id;
}
function review(on) {
  document.body.classList.toggle("reviewing", on);
  one("#reviewing").setAttribute("aria-pressed", on);
  one("#judge").hidden = !on;
  go(on ? cards().find(card => !judged[card.dataset.key]) || cards()[0] : null);
}
function judge(decision) {
  if (!at) return;
  const {entry, text, place} = at.dataset, row = {person: about.person, decision, entry, text, place, at: new Date().toISOString()};
  if (decision === "edit") {
    const scope = prompt("Under which conditions does it hold?", judged[at.dataset.key]?.scope || "");
    if (scope === null) return;
    row.scope = scope;
  }
  judged[at.dataset.key] = row;
  keep();
  step(1);
}
function step(by) {
  const list = cards(), next = list[list.indexOf(at) + by];
  if (next) go(next);
}
one("#reviewing").addEventListener("click", () => review(!document.body.classList.contains("reviewing")));
for (const button of all("[data-judge]")) button.addEventListener("click", () => judge(button.dataset.judge));
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input,textarea,select,dialog")) return;
  if (event.key === "/") { event.preventDefault(); one("#ask").focus(); return; }
  if (!document.body.classList.contains("reviewing")) return;
  const does = {j: () => step(1), k: () => step(-1), a: () => judge("accept"), r: () => judge("reject"), e: () => judge("edit"), Escape: () => review(false)}[event.key];
  if (does) { event.preventDefault(); does(); }
});
function save(name, words) {
  const link = Object.assign(document.createElement("a"), {href: URL.createObjectURL(new Blob([words], {type: "text/plain"})), download: name});
  link.click();
  URL.revokeObjectURL(link.href);
}
one("#save-review").addEventListener("click", () => save(about.slug + "-review.jsonl", Object.values(judged).map(row => JSON.stringify(row) + "\n").join("")));
one("#clear-review").addEventListener("click", () => { for (const key of Object.keys(judged)) delete judged[key]; keep(); });
for (const button of all("[data-copy]")) button.addEventListener("click", () => copy(one("pre", button.closest("details")).textContent, button));
for (const button of all("[data-save]")) button.addEventListener("click", () => save(button.dataset.save, one("pre", button.closest("details")).textContent));

// Addresses: #q=S12:40-58 opens words, #s=words searches, any other opens what is folded around its target.
function follow() {
  const hash = location.hash;
  if (hash.startsWith("#q=")) return read(hash);
  if (hash.startsWith("#s=")) { one("#ask").value = decodeURIComponent(hash.slice(3).replace(/\+/g, " ")); one("#search").scrollIntoView(); return search(); }
  const target = hash && document.getElementById(decodeURIComponent(hash.slice(1)));
  if (target) {
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", follow);
addEventListener("beforeprint", () => { for (const fold of all("section details:not(.prompt)")) fold.open = true; });
document.addEventListener("click", event => {
  const link = event.target.closest('a[href^="#q="]');
  if (link && link.hash === location.hash) { event.preventDefault(); read(link.hash); }
});
dress();
follow();
