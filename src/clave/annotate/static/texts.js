// Texts on the screen: control characters and bidi overrides shown, evidence marked, selections turned into offsets.
// Offsets outside this file are code points, as in Python; inside they are UTF-16 units, as in the browser.
"use strict";

const Texts = (() => {
  const SPECIAL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Cs}/gu;
  const SHOWN_AT_ONCE = 60000;

  function points(text, unit) {
    let count = 0;
    for (const _ of text.slice(0, unit)) count += 1;
    return count;
  }

  function units(text, point) {
    let count = 0, unit = 0;
    for (const character of text) {
      if (count === point) break;
      count += 1;
      unit += character.length;
    }
    return unit;
  }

  function sign(character) {
    const code = character.codePointAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return "U+" + code.toString(16).toUpperCase().padStart(4, "0");
  }

  // A stretch of the text as nodes; each carries where it starts and how long it is in the text.
  function stretch(text, from, to) {
    const nodes = [];
    const plain = (a, b) => {
      if (a === b) return;
      const span = document.createElement("span");
      span.textContent = text.slice(a, b);
      span.dataset.from = a;
      nodes.push(span);
    };
    let last = from;
    for (const found of text.slice(from, to).matchAll(SPECIAL)) {
      const at = from + found.index;
      plain(last, at);
      last = at + found[0].length;
      if (found[0] === "\r" && text[at + 1] === "\n") continue;
      const span = document.createElement("span");
      span.className = "ctrl";
      span.dataset.from = at;
      span.dataset.size = found[0].length;
      span.title = "U+" + found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      span.textContent = sign(found[0]);
      nodes.push(span);
    }
    plain(last, to);
    return nodes;
  }

  // Show a text; `marks` are [{start, end}] in code points, `here` one such stretch or null.
  function show(box, text, marks, here, whole) {
    const end = whole ? text.length : Math.min(text.length, SHOWN_AT_ONCE);
    const spans = marks.map((m) => [units(text, m.start), units(text, m.end), "mark"]);
    if (here) spans.push([units(text, here.start), units(text, here.end), "here"]);
    const cuts = [...new Set([0, end, ...spans.flatMap((s) => [s[0], s[1]])])].filter((c) => c <= end).sort((a, b) => a - b);
    const parts = document.createDocumentFragment();
    for (let i = 0; i + 1 < cuts.length; i += 1) {
      const [a, b] = [cuts[i], cuts[i + 1]];
      const inside = spans.filter((s) => s[0] <= a && b <= s[1]).map((s) => s[2]);
      const nodes = stretch(text, a, b);
      if (!inside.length) { parts.append(...nodes); continue; }
      const holder = document.createElement(inside.includes("mark") ? "mark" : "span");
      if (inside.includes("here")) holder.classList.add("here");
      holder.append(...nodes);
      parts.append(holder);
    }
    box.replaceChildren(parts);
    return text.length - end;
  }

  function offset(box, node, at) {
    if (node === box) {
      const child = node.childNodes[at];
      if (!child) return null;
      node = child; at = 0;
    }
    let span = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    if (span.dataset.from === undefined) span = span.querySelector("[data-from]") || span;
    if (span.dataset.from === undefined || !box.contains(span)) return null;
    const from = Number(span.dataset.from);
    if (span.dataset.size !== undefined) return from + (at > 0 ? Number(span.dataset.size) : 0);
    return from + (node.nodeType === Node.TEXT_NODE ? at : 0);
  }

  // The selected stretch of the box's text in code points, or null.
  function selected(box, text) {
    const selection = window.getSelection();
    if (!selection.rangeCount || selection.isCollapsed) return null;
    const range = selection.getRangeAt(0);
    if (!box.contains(range.startContainer) || !(box.contains(range.endContainer) || range.intersectsNode(box))) return null;
    const start = offset(box, range.startContainer, range.startOffset);
    let end = box.contains(range.endContainer) ? offset(box, range.endContainer, range.endOffset) : text.length;
    if (end === null) end = text.length;
    if (start === null || end <= start) return null;
    return { start: points(text, start), end: points(text, end) };
  }

  // The sentences of a text, in code points, without the space around them.
  function sentences(text) {
    const found = [];
    const part = text.slice(0, SHOWN_AT_ONCE);
    const pieces = window.Intl && Intl.Segmenter ? [...new Intl.Segmenter(undefined, { granularity: "sentence" }).segment(part)]
      : [...part.matchAll(/[^.!?。！？\n]+[.!?。！？\n]*/gu)].map((m) => ({ segment: m[0], index: m.index }));
    let unit = 0, count = 0;
    for (const piece of pieces) {
      const trimmed = piece.segment.trim();
      if (!trimmed) continue;
      const at = piece.index + piece.segment.indexOf(trimmed);
      count += points(text.slice(unit, at), at - unit);
      const size = points(trimmed, trimmed.length);
      found.push({ start: count, end: count + size });
      count += size;
      unit = at + trimmed.length;
    }
    return found;
  }

  function slice(text, span) {
    return text.slice(units(text, span.start), units(text, span.end));
  }

  return { show, selected, sentences, slice, stretch };
})();
