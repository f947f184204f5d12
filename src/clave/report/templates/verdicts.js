"use strict";
// The list of verdicts. Foreign text enters the page as textContent only; its data is a Listing of report/page.py.
(() => {
  const root = document.getElementById("verdict-list");
  const data = JSON.parse(document.getElementById("verdict-data").textContent);
  const PAGE = 50;
  const LABELS = ["adhere", "oppose", "unrelated"];
  const rows = data.rows.map(([text, value, label, sure, quotes, concepts, reason], place) => {
    const [id, model, scenario, response, cut] = data.texts[text];
    const [key, name] = data.values[value];
    const who = data.models[model];
    const seen = response || quotes.join(" … ");
    const found = [id, who, name, scenario, seen, ...concepts, reason].join("\n").toLowerCase();
    return { place, id, key, name, model: who, scenario, response, cut, label, sure, quotes, concepts, reason, seen, found };
  });
  const state = { sort: null, down: false, from: 0, open: null };
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const foreign = (tag, className, text) => Object.assign(make(tag, className, text), { dir: "auto" });
  const addressOf = (row) => "#verdict=" + [row.id, row.key, row.model].map(encodeURIComponent).join("/");

  // The controls
  const controls = make("div", "controls");
  const search = Object.assign(make("input"), { type: "search", placeholder: "Search responses, concepts, reasons" });
  search.setAttribute("aria-label", "Search");
  controls.append(search);
  const filters = [["model", "models"], ["name", "values"], ["label", "verdicts"]].flatMap(([field, many]) => {
    const counted = new Map();
    for (const row of rows) counted.set(row[field], (counted.get(row[field]) || 0) + 1);
    if (counted.size < 2) return [];
    const select = make("select");
    select.setAttribute("aria-label", "Filter by " + many);
    select.append(new Option("All " + many, ""));
    for (const [one, n] of counted) select.append(new Option(`${one.slice(0, 60)} (${n.toLocaleString("en")})`, "=" + one));
    controls.append(select);
    return [{ field, select }];
  });
  const status = make("p", "count");
  status.setAttribute("role", "status");

  // The table
  const frame = make("div", "rows");
  const table = make("table");
  const head = make("tr");
  const body = make("tbody");
  const columns = [["label", "Verdict"], ["sure", "Sure"], ["name", "Value"], ["model", "Model"], ["seen", "Response"]]
    .filter(([field]) => field !== "model" || data.models.length > 1);
  const heads = columns.map(([field, title]) => {
    const cell = Object.assign(make("th", field), { scope: "col" });
    const button = Object.assign(make("button", "", title), { type: "button" });
    button.addEventListener("click", () => {
      state.down = state.sort === field ? !state.down : field === "sure";
      state.sort = field;
      state.from = 0;
      show();
    });
    cell.append(button);
    head.append(cell);
    return { field, cell };
  });
  table.append(make("thead"), body);
  table.tHead.append(head);
  frame.append(table);
  const pager = make("div", "pager");
  const [back, on] = [["Previous", -PAGE], ["Next", PAGE]].map(([title, step]) => {
    const button = Object.assign(make("button", "", title), { type: "button" });
    button.addEventListener("click", () => { state.from += step; show(); root.scrollIntoView(); });
    pager.append(button);
    return button;
  });
  root.append(controls, status, frame, pager);

  const chip = (label) => make("span", "chip " + (LABELS.includes(label) ? label : "none"), label);
  const percent = (sure) => sure === null ? "–" : sure >= 0.995 ? ">99 %" : Math.round(100 * sure) + " %";

  function marked(row) {
    const quote = foreign("blockquote", "", "");
    const spans = row.quotes.map((text) => [row.response.indexOf(text), text.length]).filter(([at]) => at >= 0).sort((a, b) => a[0] - b[0]);
    let at = 0;
    for (const [start, length] of spans) {
      if (start < at) continue;
      quote.append(row.response.slice(at, start), make("mark", "", row.response.slice(start, start + length)));
      at = start + length;
    }
    quote.append(row.response.slice(at) || (row.response ? "" : row.seen));
    if (row.cut) quote.append(make("small", "", ` … ${row.cut.toLocaleString("en")} more characters`));
    return quote;
  }

  function detail(row) {
    const line = make("tr", "detail");
    const cell = Object.assign(make("td"), { colSpan: columns.length });
    if (row.scenario) cell.append(foreign("p", "scenario", row.scenario));
    cell.append(marked(row));
    if (row.concepts.length) cell.append(foreign("p", "", "Concepts: " + row.concepts.join("; ")));
    if (row.reason) cell.append(foreign("p", "", row.reason));
    const link = Object.assign(make("a", "", "Link to this verdict"), { href: addressOf(row) });
    const place = make("p");
    place.append(link, make("small", "", " " + row.id));
    cell.append(place);
    line.append(cell);
    return line;
  }

  function line(row) {
    const tr = make("tr", "verdict");
    const cells = {
      label: () => [chip(row.label)],
      sure: () => [percent(row.sure)],
      name: () => [foreign("bdi", "", row.name)],
      model: () => [foreign("bdi", "", row.model)],
      seen: () => {
        const button = Object.assign(foreign("button", "text", row.seen.slice(0, 220) || row.reason || row.id), { type: "button" });
        button.setAttribute("aria-expanded", String(state.open === row.place));
        button.addEventListener("click", () => {
          state.open = state.open === row.place ? null : row.place;
          if (state.open !== null) history.replaceState(null, "", addressOf(row));
          show();
          body.querySelector(`tr[data-place="${row.place}"] button`).focus();
        });
        return [button];
      },
    };
    tr.dataset.place = row.place;
    for (const [field] of columns) {
      const td = make("td", field);
      td.append(...cells[field]());
      tr.append(td);
    }
    return state.open === row.place ? [tr, detail(row)] : [tr];
  }

  function chosen() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = filters.filter(({ select }) => select.value).map(({ field, select }) => [field, select.value.slice(1)]);
    const kept = rows.filter((row) => wanted.every(([field, one]) => row[field] === one) && words.every((word) => row.found.includes(word)));
    if (state.sort) {
      const sign = state.down ? -1 : 1;
      const key = (row) => row[state.sort];
      kept.sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === y) return a.place - b.place;
        if (x === null || y === null) return x === null ? 1 : -1;
        return sign * (x < y ? -1 : 1);
      });
    }
    return kept;
  }

  function show() {
    const kept = chosen();
    const end = Math.min(kept.length, state.from + PAGE);
    const range = kept.length > PAGE ? `${(state.from + 1).toLocaleString("en")}–${end.toLocaleString("en")} of ` : "";
    status.textContent = kept.length ? `${range}${kept.length.toLocaleString("en")} ${kept.length === 1 ? "verdict" : "verdicts"}` : "No verdict fits.";
    for (const { field, cell } of heads) {
      if (field === state.sort) cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    body.replaceChildren(...kept.slice(state.from, end).flatMap(line));
    frame.hidden = !kept.length;
    pager.hidden = kept.length <= PAGE;
    back.disabled = state.from === 0;
    on.disabled = end === kept.length;
  }

  function follow() {
    if (!location.hash.startsWith("#verdict=")) return;
    let parts;
    try { parts = location.hash.slice(9).split("/").map(decodeURIComponent); } catch { return; }
    const row = rows.find((one) => one.id === parts[0] && one.key === parts[1] && one.model === parts[2]);
    if (!row) { status.textContent = "The verdict of this address is not in the list."; root.scrollIntoView(); return; }
    search.value = "";
    for (const { select } of filters) select.value = "";
    state.sort = null;
    state.from = PAGE * Math.floor(row.place / PAGE);
    state.open = row.place;
    show();
    const tr = body.querySelector(`tr[data-place="${row.place}"]`);
    tr.scrollIntoView({ block: "center" });
    tr.querySelector("button").focus({ preventScroll: true });
  }

  const again = () => { state.from = 0; state.open = null; show(); };
  search.addEventListener("input", again);
  for (const { select } of filters) select.addEventListener("change", again);
  addEventListener("hashchange", follow);
  show();
  follow();
})();
