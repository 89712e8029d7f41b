"use strict";

const found = document.querySelector("#found");
const status = document.querySelector("#status");
const token = document.querySelector("#token");

if (location.hash.startsWith("#token=")) {
  token.value = decodeURIComponent(location.hash.slice(7));
  history.replaceState(null, "", location.pathname);
}

async function predict(files) {
  const form = new FormData();
  for (const file of files) form.append("files", file);
  status.textContent = `Examining ${files.length} …`;
  const headers = token.value ? { Authorization: `Bearer ${token.value}` } : {};
  const answer = await fetch("api/predict", { method: "POST", body: form, headers });
  const told = await answer.json();
  document.querySelector("#ask").hidden = answer.status !== 401;
  status.textContent = told.error ?? "";
  if (!answer.ok) return;
  document.querySelector("#notice").textContent = told.notice;
  for (const one of told.predictions) {
    const cells = one.error
      ? ["", one.error, ""]
      : [one.probability.toFixed(3), one.decision, one.warnings.map((name) => told.meaning[name]).join("; ")];
    const row = found.tBodies[0].insertRow();
    for (const text of [files[one.index].name, ...cells]) row.insertCell().textContent = text;
  }
  found.hidden = false;
}

document.querySelector("#form").addEventListener("submit", (event) => event.preventDefault());
document.querySelector("#files").addEventListener("change", (event) => predict([...event.target.files]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  predict([...event.dataTransfer.files]);
});
