// Import: the chosen file goes to the server as it is, with the format that its ending names.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const words = JSON.parse($("words").textContent);
  const formats = { jsonl: "jsonl", csv: "csv", parquet: "parquet", json: "label-studio" };

  $("import").addEventListener("submit", async (event) => {
    event.preventDefault();
    const file = $("file").files[0];
    const format = formats[file.name.split(".").pop().toLowerCase()] || "jsonl";
    $("alert").hidden = true;
    $("imported").textContent = "";
    let data = {};
    try {
      const answer = await fetch(`/import?format=${format}`, { method: "POST", body: file, credentials: "same-origin" });
      data = await answer.json();
    } catch (error) { data = { detail: String(error) }; }
    if (data.imported !== undefined) {
      $("imported").textContent = words.imported.replace("{n}", data.imported) + (data.kept ? ` ${words.kept.replace("{n}", data.kept)}` : "");
      return;
    }
    $("alert").textContent = String(data.detail);
    $("alert").hidden = false;
  });
})();
