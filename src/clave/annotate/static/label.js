// The labelling screen: shows an item, takes one key or one tap, sends it through the outbox, shows the next.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const words = JSON.parse($("words").textContent);
  const me = document.querySelector(".who bdi").textContent;
  let state = JSON.parse($("shown").textContent);
  let item = null, marks = [], here = -1, lines = null, whole = false, waiting = false, pending = 0;
  let chain = Promise.resolve();
  let watched = 0, since = null;

  const narrow = window.matchMedia("(max-width: 48rem)").matches;

  const draftPlace = () => `clave.draft.${me}.${item.value}.${item.response}`;

  function clock(run) {
    if (since !== null) { watched += performance.now() - since; since = null; }
    if (run) since = performance.now();
  }

  function tell(text) { $("said").textContent = text; }

  function alarm(text) { $("alert").textContent = text; $("alert").hidden = !text; }

  function draw() {
    const left = Texts.show($("response"), item.text, marks, here >= 0 ? lines[here] : null, whole);
    $("rest").hidden = left <= 0;
    $("rest").textContent = words.show_rest.replace("{n}", left);
    $("evidence").replaceChildren(...marks.map((mark, place) => {
      const row = document.createElement("li");
      const quote = document.createElement("bdi");
      const text = Texts.slice(item.text, mark);
      quote.append(...Texts.stretch(text, 0, Math.min(text.length, 200)));
      const button = document.createElement("button");
      button.textContent = "×";
      button.setAttribute("aria-label", `${words.remove}: ${text.slice(0, 60)}`);
      button.addEventListener("click", () => { marks.splice(place, 1); draft(); draw(); });
      row.append(quote, button);
      return row;
    }));
  }

  function draft() {
    try { localStorage.setItem(draftPlace(), JSON.stringify({ note: $("note").value, marks })); } catch { /* full or private */ }
  }

  function progress() {
    const { mine, values } = state.progress;
    const counts = item ? [values[item.value]] : Object.values(values);
    const [n, all] = [0, 1].map((place) => counts.reduce((sum, pair) => sum + pair[place], 0));
    $("bar").max = all || 1;
    $("bar").value = Math.min(n, all);
    $("count").textContent = `${words.of_target.replace("{n}", n).replace("{target}", all)} · ${mine} ${words.mine}`;
  }

  function show(fresh, before) {
    state = fresh;
    item = state.item;
    marks = []; here = -1; lines = null; whole = false; watched = 0; since = null;
    $("item").hidden = !item;
    $("done").hidden = Boolean(item);
    progress();
    if (!item) { $("done-heading").focus(); return; }
    const text = (id, content) => { $(id).replaceChildren(...Texts.stretch(content, 0, content.length)); };
    text("name", item.name);
    text("definition", item.definition);
    text("guideline", item.guideline);
    $("no-guideline").hidden = Boolean(item.guideline);
    $("guideline-box").open = Boolean(item.guideline) && !narrow;
    text("scenario", item.scenario);
    $("scenario").hidden = $("scenario-heading").hidden = !item.scenario;
    let kept = null;
    try { kept = JSON.parse(localStorage.getItem(draftPlace())); } catch { /* none */ }
    const start = before ? { note: before.note, marks: before.evidence.map(({ start, end }) => ({ start, end })) } : kept || { note: "", marks: [] };
    $("note").value = start.note || "";
    marks = start.marks || [];
    for (const button of document.querySelectorAll("[data-label]")) {
      if (before) button.setAttribute("aria-pressed", String(button.dataset.label === before.label)); else button.removeAttribute("aria-pressed");
    }
    draw();
    $("response").scrollTop = 0;
    $("scenario").scrollTop = 0;
    $("name").focus({ preventScroll: true });
    window.scrollTo(0, 0);
    clock(!document.hidden);
  }

  // One message after the other; the screen does not wait for them unless it has no next item to show.
  function send(path, message, done) {
    pending += 1;
    chain = chain.then(async () => {
      const answer = await Outbox.send(path, message, () => alarm(words.retrying));
      pending -= 1;
      if (answer.status === 401) { alarm(words.signed_out); location.assign("/"); return; }
      Outbox.drop(message.key);
      alarm(answer.status === 200 ? "" : `${words.refused} (${answer.status})`);
      if (answer.status === 200) done(answer.data); else waiting = false;
    });
  }

  // What the evaluator says is not known here before the server has the label.
  function check(found) {
    $("check").hidden = !found;
    if (!found) return;
    const sure = found.probability === null ? "" : ` (${found.probability.toFixed(2)})`;
    const text = found.same ? words.check_same : words.check_other;
    $("check-text").textContent = text.replace("{said}", words[found.said]).replace("{label}", words[found.label] + sure) + (found.same || !found.why ? "" : ` ${found.why}`);
    $("check").classList.toggle("other", !found.same);
    $("again").hidden = found.same;
  }

  const same = (a, b) => Boolean(a) && Boolean(b) && a.response === b.response && a.value === b.value;

  function choose(label) {
    if (!item || waiting) return;
    clock(false);
    const message = {
      key: Outbox.key(), response: item.response, value: item.value, label, note: $("note").value,
      evidence: marks, seconds: Math.min(86400, Math.round(watched) / 1000), only: $("only").value || null,
    };
    Outbox.add({ ...message, who: me });
    const place = draftPlace();
    check(null);
    const ahead = pending === 0 ? state.following : null;
    if (ahead) show({ ...state, item: ahead, following: null }); else waiting = true;
    tell(`${words.saved}: ${words[label]}. ${ahead ? item.name : ""}`);
    send("/api/labels", message, (data) => {
      localStorage.removeItem(place);
      if (pending === 0) check(data.check);
      if (ahead && same(item, ahead)) {
        state = { ...data, item, following: same(data.item, item) ? data.following : data.item };
        progress();
      } else if (!ahead) { waiting = false; show(data); }
    });
  }

  function undo() {
    if (waiting) return;
    waiting = true;
    check(null);
    send("/api/undo", { key: Outbox.key() }, (data) => {
      waiting = false;
      show(data, data.undone ? data.before : null);
      tell(data.undone ? words.undone : words.nothing_to_undo);
    });
  }

  function mark() {
    if (!item) return;
    const found = Texts.selected($("response"), item.text) || (here >= 0 ? lines[here] : null);
    if (!found) return;
    if (marks.length < 50 && !marks.some((m) => m.start === found.start && m.end === found.end)) marks.push(found);
    marks.sort((a, b) => a.start - b.start);
    window.getSelection().removeAllRanges();
    here = -1;
    draft();
    draw();
    tell(`${words.evidence}: ${Texts.slice(item.text, found).slice(0, 120)}`);
  }

  function sentence(step) {
    if (!item) return;
    lines = lines || Texts.sentences(item.text);
    if (!lines.length) return;
    here = Math.min(lines.length - 1, Math.max(0, here < 0 && step < 0 ? lines.length - 1 : here + step));
    draw();
    const shown = $("response").querySelector(".here");
    if (shown) shown.scrollIntoView({ block: "nearest" });
    tell(Texts.slice(item.text, lines[here]).slice(0, 300));
  }

  const KEYS = {
    1: () => choose("adhere"), 2: () => choose("oppose"), 3: () => choose("unrelated"), 0: () => choose("cannot_tell"), 4: () => choose("cannot_tell"),
    ArrowRight: () => choose("adhere"), ArrowLeft: () => choose("oppose"), ArrowDown: () => choose("unrelated"), ArrowUp: () => choose("cannot_tell"),
    u: undo, Backspace: undo, n: () => $("note").focus(), e: mark, j: () => sentence(1), k: () => sentence(-1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === $("note")) { $("name").focus(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing || !$("keys").checked) return;
    if (event.target.matches("input, select, textarea")) return;
    if (event.key.startsWith("Arrow") && event.target.matches(".text")) return;
    const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  document.addEventListener("visibilitychange", () => clock(!document.hidden && Boolean(item)));
  for (const button of document.querySelectorAll("[data-label]")) button.addEventListener("click", () => choose(button.dataset.label));
  $("undo").addEventListener("click", undo);
  $("again").addEventListener("click", undo);
  $("mark").addEventListener("mousedown", (event) => event.preventDefault());
  $("mark").addEventListener("click", mark);
  $("rest").addEventListener("click", () => { whole = true; draw(); $("response").focus(); });
  $("note").addEventListener("input", draft);
  $("only").addEventListener("change", () => $("choose").submit());
  $("keys").checked = localStorage.getItem("clave.keys") !== "off";
  $("keys").addEventListener("change", () => localStorage.setItem("clave.keys", $("keys").checked ? "on" : "off"));

  // Choices that a closed tab left behind go first; then the page's own item may be one of them, so ask again.
  async function begin() {
    const left = Outbox.read().filter((message) => message.who === me);
    if (!left.length) { show(state); return; }
    waiting = true;
    for (const { who, ...message } of left) {
      const answer = await Outbox.send("/api/labels", message, () => alarm(words.retrying));
      if (answer.status === 401) { location.assign("/"); return; }
      Outbox.drop(message.key);
      if (answer.status === 200) state = answer.data;
    }
    waiting = false;
    alarm("");
    show(state);
    tell(words.saved);
  }

  $("definition-box").open = !narrow;
  begin();
})();
