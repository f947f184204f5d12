// Settling: one item after the other by keys; each decision is sent at once and stays in view, to be taken back.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const words = JSON.parse($("words").textContent);
  const items = [...document.querySelectorAll(".dispute")];
  if (!items.length) return;
  let here = Math.max(0, items.findIndex((item) => !item.classList.contains("settled")));
  let left = Number($("left").dataset.open);
  let last = null;

  function go(place) {
    items[here].classList.remove("here");
    here = Math.min(items.length - 1, Math.max(0, place));
    items[here].classList.add("here");
    items[here].querySelector("h2").focus({ preventScroll: true });
    items[here].scrollIntoView({ block: "start" });
  }

  function alarm(text) { $("alert").textContent = text; $("alert").hidden = !text; }

  async function decide(item, label) {
    const form = item.querySelector("form");
    const body = new URLSearchParams({ label, note: form.elements.note.value });
    let answer;
    try {
      answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" }, credentials: "same-origin" });
    } catch { alarm(words.settle_failed); return; }
    if (!answer.ok) { alarm(`${words.settle_failed} (${answer.status})`); return; }
    alarm("");
    const { label: settled, by } = await answer.json();
    const was = item.classList.contains("settled");
    item.classList.toggle("settled", Boolean(settled));
    left += was === Boolean(settled) ? 0 : settled ? -1 : 1;
    $("left").textContent = words.settle_left.replace("{n}", left);
    for (const button of form.querySelectorAll(".buttons button")) button.setAttribute("aria-pressed", String(button.value === settled));
    item.querySelector(".decided").textContent = settled ? words.settled.replace("{by}", by).replace("{label}", words[settled]) : words.open;
    item.querySelector("button[value=open]").hidden = !settled;
    last = item;
    if (!settled) { go(items.indexOf(item)); return; }
    const next = items.findIndex((other, place) => place > items.indexOf(item) && !other.classList.contains("settled"));
    const any = next >= 0 ? next : items.findIndex((other) => !other.classList.contains("settled"));
    if (any >= 0) go(any);
  }

  items.forEach((item, place) => {
    item.addEventListener("focusin", () => { if (place !== here) { items[here].classList.remove("here"); here = place; item.classList.add("here"); } });
    item.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); decide(item, event.submitter ? event.submitter.value : "open"); });
  });

  const KEYS = {
    1: () => decide(items[here], "adhere"), 2: () => decide(items[here], "oppose"), 3: () => decide(items[here], "unrelated"),
    j: () => go(here + 1), k: () => go(here - 1), n: () => items[here].querySelector("textarea").focus(), u: () => { if (last) decide(last, "open"); },
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.matches("textarea")) { items[here].querySelector("h2").focus({ preventScroll: true }); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing || localStorage.getItem("clave.keys") === "off") return;
    if (event.target.matches("input, select, textarea")) return;
    const action = KEYS[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });

  items[here].classList.add("here");
})();
