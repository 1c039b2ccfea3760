"use strict";
let box = null;
const shut = () => { if (box) box.remove(); box = null; };
for (const mark of document.querySelectorAll("sup.footnote-ref a")) {
  const note = document.getElementById(mark.getAttribute("href").slice(1));
  if (!note) continue;
  const show = () => {
    shut();
    box = document.createElement("div");
    box.id = "words";
    box.setAttribute("role", "note");
    for (const part of note.childNodes) box.append(part.cloneNode(true));
    for (const part of box.querySelectorAll("[id]")) part.removeAttribute("id");
    document.body.append(box);
    const at = mark.getBoundingClientRect();
    box.style.top = `${at.bottom + scrollY + 4}px`;
    box.style.left = `${Math.max(8, Math.min(at.left + scrollX, document.body.clientWidth + document.body.offsetLeft - box.offsetWidth - 8))}px`;
  };
  mark.addEventListener("mouseenter", show);
  mark.addEventListener("focus", show);
  mark.addEventListener("click", event => { event.preventDefault(); show(); });
}
document.addEventListener("keydown", event => { if (event.key === "Escape") shut(); });
document.addEventListener("click", event => { if (box && !box.contains(event.target) && !event.target.closest("sup")) shut(); });
const data = document.getElementById("index"), found = document.getElementById("found");
if (data && found) {
  const { pages, words } = JSON.parse(data.textContent);
  const asked = new URLSearchParams(location.search).get("q") || "";
  document.querySelector("input[name=q]").value = asked;
  const plain = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const terms = plain(asked).match(/[\p{L}\p{N}]+/gu) || [];
  const score = new Map();
  terms.forEach((term, place) => {
    const hit = new Map();
    for (const word of Object.keys(words)) if (word.startsWith(term)) {
      const weight = (word === term ? 2 : 1) / Math.sqrt(words[word].length);
      for (const page of words[word]) hit.set(page, Math.max(hit.get(page) || 0, weight));
    }
    pages.forEach((page, number) => {
      if (plain(`${page[1]} ${page[3]}`).includes(term)) hit.set(number, (hit.get(number) || 0) + (page[0].startsWith("sources/") ? 0.1 : 3));
    });
    for (const [page, weight] of hit) if (place === 0 || score.has(page)) score.set(page, (score.get(page) || 0) + weight);
    for (const page of [...score.keys()]) if (!hit.has(page)) score.delete(page);
  });
  const best = [...score].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 50);
  const line = (tag, text) => { const made = document.createElement(tag); made.textContent = text; return made; };
  if (terms.length) found.append(line("p", best.length ? `${score.size} pages for "${asked}"` : `No page has "${asked}".`));
  for (const [number] of best) {
    const [address, title, text] = pages[number];
    const link = line("a", title);
    link.href = address;
    const row = document.createElement("p");
    row.append(link, document.createElement("br"), text);
    found.append(row);
  }
}
