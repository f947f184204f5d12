// The outbox: a choice is written to the browser's own storage before it is sent and leaves it when the server has it,
// so that a closed tab, a lost connection or a server that is down loses nothing. The key makes sending twice harmless.
"use strict";

const Outbox = (() => {
  const PLACE = "clave.outbox";

  function read() {
    try { return JSON.parse(localStorage.getItem(PLACE)) || []; } catch { return []; }
  }

  function write(list) {
    try { localStorage.setItem(PLACE, JSON.stringify(list)); } catch { /* private mode: the retry below still holds the choice */ }
  }

  function add(message) { write([...read().filter((m) => m.key !== message.key), message]); }

  function drop(key) { write(read().filter((m) => m.key !== key)); }

  function key() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  }

  async function post(path, body) {
    return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), credentials: "same-origin" });
  }

  // Send until the server has answered; `waiting` is called at every failure. Resolves with {status, data}.
  async function send(path, body, waiting) {
    for (let pause = 300; ; pause = Math.min(pause * 1.7, 5000)) {
      try {
        const answer = await post(path, body);
        if (answer.status < 500) return { status: answer.status, data: await answer.json().catch(() => ({})) };
      } catch { /* no connection */ }
      waiting();
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  return { add, drop, key, post, read, send };
})();
