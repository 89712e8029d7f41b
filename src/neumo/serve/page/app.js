// The page: what is dropped on it, and what is shown of the answers.

import * as api from "./api.js";
import { WORDS } from "./words.js";

const $ = (selector, within = document) => within.querySelector(selector);
const BATCH = 8;
const FORM = 500; // bytes that a form has around each file, at most

let clearing = new AbortController(); // stops what is asked of radiographs that are cleared
const shown = []; // {name, file, answer | error, refused, undrawn, card, row, meaning}
// until the limits are known, one file goes at a time
const state = { card: null, limits: { files: 1, request_bytes: 0, file_bytes: 0 }, points: null, threshold: null, positive: "pneumonia", words: WORDS.en, notice: "", status: () => "", waiting: 0, sort: ["", 1] };

// words

// how many decimals, at least `least`, keep a share in per cent from 0 and 100 where it is neither
const decimals = (value, least) => {
  let enough = least;
  while (value > 0 && value < 1 && enough < 9 && [0, 100].includes(Number((100 * value).toFixed(enough)))) enough++;
  return enough;
};
const written = (value, digits, style) => new Intl.NumberFormat(document.documentElement.lang, { style, minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
const percent = (value) => written(value, decimals(value, 1), "percent");
// a probability, never rounded to certainty
const chance = (value) => (value >= 0.9995 ? `>\u00a0${percent(0.999)}` : value < 0.0005 ? `<\u00a0${percent(0.001)}` : percent(value));
const named = (name) => state.words.names[name] ?? name;
const decision = (answer) => (answer.probability >= state.threshold ? state.positive : state.card?.negative ?? "normal");

function speak(language) {
  state.words = WORDS[language];
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = state.words[element.dataset.word];
  tellNotice(state.notice);
  tell(state.status);
  tellPoint();
  for (const one of shown) draw(one);
  arrange();
  if (state.card) tellCard();
}

async function tellCard() {
  const { lang } = document.documentElement;
  const told = await api.cardPage(lang).catch((error) => error);
  if (lang !== document.documentElement.lang) return;
  if (told instanceof Error) $("#card").textContent = inWords(faultOf(told));
  else $("#card").innerHTML = told; // made by this server, every value escaped
}

function tellNotice(notice) {
  if (!notice) return;
  state.notice = notice;
  $("#notice").textContent = spokenNotice(notice);
}

const spokenNotice = (notice) => Object.entries(state.words.notice).reduce((told, [sentence, other]) => told.replace(sentence, other), notice);

// how it stands, as a function of the words, so that it is told again in another language
function tell(status) {
  state.status = status;
  $("#status").textContent = status(state.words);
}

const inWords = (fault) => state.words.faults.find(([kind]) => kind.test(fault))?.[1] ?? fault;
// what reading a file throws is a DOMException, what fetch throws is none
const faultOf = (error) => (error instanceof DOMException ? "lost" : error.status ? error.message : "unreachable");

// the operating point

function tellPoint() {
  if (state.threshold === null) return;
  $("#threshold-value").textContent = percent(state.threshold);
  const { points, words } = state;
  const known = points?.threshold.length;
  const chosen = state.threshold === points?.chosen ? state.card.threshold : null; // its rates are exact
  let near = 0;
  for (let i = 0; i < (known ?? 0); i++) if (Math.abs(points.threshold[i] - state.threshold) < Math.abs(points.threshold[near] - state.threshold)) near = i;
  for (const rate of ["sensitivity", "specificity"]) {
    const value = chosen?.[rate] ?? (known ? points[rate][near] : null);
    const share = { count: written(100 * value, decimals(value, 0), "decimal"), positive: named(state.positive), negative: named(state.card?.negative ?? "normal") };
    $(`#${rate}`).textContent = value === null ? "-" : percent(value);
    $(`#${rate}-text`).textContent = value === null ? words.unknown : words[`${rate}Text`](share);
  }
  tellTested();
  $("#threshold").setAttribute("aria-valuetext", `${percent(state.threshold)}; ${words.sensitivity} ${$("#sensitivity").textContent}; ${words.specificity} ${$("#specificity").textContent}`);
}

// Of its own test, and where the card has a stricter one, of networks like it: the figures above are of the images by
// which the point was chosen.
function tellTested() {
  const { card, words } = state;
  const strictest = ["official", "patient", "random"].find((name) => card?.results?.[name]);
  const say = (said, protocol, [sensitivity, specificity]) =>
    sensitivity == null || specificity == null ? "" : said({ protocol: words.protocols[protocol], sensitivity: percent(sensitivity), specificity: percent(specificity) });
  const rates = (metrics, what) => ["sensitivity", "specificity"].map((rate) => metrics?.[rate]?.[what]);
  const own = say(words.tested, card?.own?.protocol, rates(card?.own?.metrics, "value"));
  const alike = strictest === card?.own?.protocol ? "" : say(words.testedAlike, strictest, rates(card?.results?.[strictest]?.metrics, "mean"));
  $("#tested").hidden = !own && !alike;
  $("#tested").textContent = [own, alike].filter(Boolean).join(" ");
}

function move(threshold) {
  state.threshold = threshold;
  $("#threshold").value = threshold;
  tellPoint();
  for (const one of shown) draw(one);
  arrange();
}

// one radiograph

function remarks(one) {
  if (one.error) return `${one.refused ? state.words.undone : state.words.unread}: ${inWords(one.error)}`;
  if (!one.answer) return state.words.undone;
  return one.answer.warnings.map((name) => state.words.warnings[name] ?? one.meaning[name] ?? name).join("; ");
}

function add(name, file) {
  const article = $("#radiograph").content.cloneNode(true).firstElementChild;
  const row = $("tbody").insertRow();
  for (let i = 0; i < 4; i++) row.insertCell();
  const one = { name, file, card: article, row, meaning: {} };
  $("#cards").append(article);
  article.hidden = true;
  $(".opacity input", article).addEventListener("input", (event) => ($(".heat", article).style.opacity = event.target.value / 100));
  $("[data-word=drawing]", article).textContent = state.words.drawing;
  $("[data-word=heat]", article).textContent = state.words.heat;
  shown.push(one);
  return one;
}

function draw(one) {
  const { card, row, answer, error } = one;
  if (!answer && !error) return;
  const cells = answer ? [one.name, chance(answer.probability), named(decision(answer)), remarks(one)] : [one.name, "", "", remarks(one)];
  cells.forEach((text, i) => (row.cells[i].textContent = text));
  card.hidden = false;
  $("h3", card).textContent = one.name;
  const list = $(".warnings", card);
  list.replaceChildren();
  for (const text of answer ? answer.warnings.map((name) => state.words.warnings[name] ?? one.meaning[name] ?? name) : [remarks(one)]) {
    list.append(Object.assign(document.createElement("li"), { textContent: text }));
  }
  $(".doubt", card).textContent = state.words.doubt;
  $(".doubt", card).hidden = !answer?.warnings.length;
  [...$(".ticks", card).children].forEach((tick, i) => (tick.textContent = new Intl.NumberFormat(document.documentElement.lang, { style: "percent" }).format(i / 2)));
  for (const part of card.querySelectorAll(".figure, .bar, .ticks, .decision, .size")) part.hidden = !answer;
  if (!answer) return;
  const positive = answer.probability >= state.threshold;
  const said = { percent: chance(answer.probability), threshold: percent(state.threshold), decision: named(decision(answer)), positive: named(state.positive), side: positive ? state.words.above : state.words.below };
  card.classList.toggle("positive", positive);
  row.classList.toggle("positive", positive);
  $(".decision", card).textContent = state.words.called(said);
  const bar = $(".bar", card);
  bar.setAttribute("aria-label", state.words.barText(said));
  bar.style.setProperty("--probability", answer.probability);
  bar.style.setProperty("--threshold", state.threshold);
  $(".size", card).textContent = state.words.size(answer);
  if (one.undrawn) $(".wait", card).textContent = one.undrawn.includes("Grad-CAM") ? state.words.noHeat : `${state.words.undrawn}: ${inWords(one.undrawn)}`;
  $(".grey", card).alt = state.words.greyText(one.name);
  $(".heat", card).alt = state.words.heatText;
}

// Heat maps are asked for when a radiograph comes into view.
const views = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    views.unobserve(entry.target);
    explain(shown.find((one) => one.card === entry.target));
  }
}, { rootMargin: "200px" });

async function explain(one) {
  if (!one?.answer) return;
  const { signal } = clearing;
  try {
    const told = await api.explain(await read(one.file), () => {}, signal);
    check(told);
    $(".grey", one.card).src = `data:image/png;base64,${told.radiograph}`;
    $(".heat", one.card).src = `data:image/png;base64,${told.heat}`;
    $(".heat", one.card).style.opacity = $(".opacity input", one.card).value / 100;
    $(".wait", one.card).remove();
  } catch (error) {
    one.undrawn = faultOf(error);
    draw(one);
  }
}

// many radiographs

// A file as it is now, before it is sent: it may have been changed or deleted since it was chosen. One that is larger
// than the server takes is not held in memory.
async function read(file) {
  if (file.size <= state.limits.file_bytes) return new Blob([await file.arrayBuffer()]);
  await file.slice(0, 1).arrayBuffer();
  return file;
}

// The files that were dropped or pasted as {name, file}, those of a folder in order of path and without hidden ones;
// {name, fault} where the browser cannot read one.
async function brought(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const folders = items.map((item) => item.webkitGetAsEntry());
  const files = items.map((item) => item.getAsFile()); // now: once this function has waited, the items are gone
  const found = [];
  for (const [i, folder] of folders.entries()) {
    if (folder?.isDirectory) await within(folder, found);
    else if (files[i]) found.push({ name: files[i].name, file: files[i] });
  }
  return found;
}

// Into `found`, one by one: a function takes some hundred thousand arguments at most.
async function within(entry, found) {
  const name = entry.fullPath.slice(1);
  try {
    if (entry.isFile) {
      found.push({ name, file: await new Promise((done, failed) => entry.file(done, failed)) });
      return;
    }
    const reader = entry.createReader(), seen = [];
    for (let some; some?.length !== 0; ) {
      some = await new Promise((done, failed) => reader.readEntries(done, failed));
      for (const one of some) if (!one.name.startsWith(".")) seen.push(one);
    }
    seen.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const one of seen) await within(one, found);
  } catch (error) {
    found.push({ name, fault: faultOf(error) });
  }
}

async function examineBrought(transfer) {
  const any = [...transfer.items].some((item) => item.kind === "file");
  const found = await brought(transfer);
  if (any && !found.length) tell((words) => words.nothing);
  await examine(found);
}

// As many as one request may bring; a file that is too large goes alone, so that it stops no other.
function* requests(added) {
  let some = [], size = 0;
  for (const one of added) {
    const { files, request_bytes: most, file_bytes: largest } = state.limits;
    const own = one.file.size > largest ? most : one.file.size + FORM;
    if (some.length && (some.length >= Math.min(BATCH, files) || size + own > most)) {
      yield some;
      some = [], size = 0;
    }
    some.push(one);
    size += own;
  }
  if (some.length) yield some;
}

const replaced = (one) => [one.error, one.undrawn].includes("replaced");

// Whether an answer is of another classifier than that whose card and operating point are shown.
const isOfAnother = (told) => told.classifier !== undefined && told.classifier !== state.points.classifier;

function check(told) {
  if (isOfAnother(told)) throw new api.Refused(409, "replaced");
}

// One request: what the browser cannot read stops nothing else in it.
async function ask(some, signal) {
  const sent = [], bodies = [];
  for (const one of some) {
    try {
      bodies.push(await read(one.file));
      sent.push(one);
    } catch (error) {
      one.error = faultOf(error);
    }
  }
  if (!sent.length) return;
  try {
    if (!state.card) await introduce(); // no decision without the operating point
    const told = await api.predict(bodies, () => tell((words) => words.busy), signal);
    if (isOfAnother(told) && !shown.some((one) => one.answer)) await introduce();
    check(told);
    tellNotice(told.notice);
    for (const answer of told.predictions) {
      const one = sent[answer.index];
      if (answer.error) one.error = answer.error;
      else Object.assign(one, { answer, meaning: told.meaning });
    }
  } catch (error) {
    if (error.status === 401) askForToken();
    for (const one of sent) Object.assign(one, { error: faultOf(error), refused: true });
  }
}

const examining = (words) => words.examining(state.waiting);
const done = (words) => {
  const count = (which) => shown.filter(which).length;
  const counted = words.done(count((one) => one.answer), count((one) => one.error && !one.refused), count((one) => one.refused));
  return count(replaced) ? `${counted} ${words.replaced}` : counted;
};

// Files as `brought` gives them.
async function examine(files) {
  if (!files.length) return;
  $("#results").hidden = false;
  const added = files.map(({ name, file, fault }) => Object.assign(add(name || state.words.radiographs, file), { error: fault }));
  const readable = added.filter((one) => one.file);
  for (const one of added) draw(one);
  state.waiting += readable.length;
  const { signal } = clearing;
  for (const some of requests(readable)) {
    tell(examining);
    await ask(some, signal);
    if (signal.aborted) return;
    for (const one of some) {
      draw(one);
      if (one.answer) views.observe(one.card);
    }
    state.waiting -= some.length;
  }
  arrange();
  tell(state.waiting ? examining : done);
}

// the table

const columns = {
  name: (one) => one.name,
  probability: (one) => one.answer?.probability ?? -1,
  decision: (one) => (one.answer ? decision(one.answer) : ""),
  remarks,
};

// The rows and cards in the order that was chosen, those without an answer yet last; nothing moves that stands right.
function arrange() {
  const [column, way] = state.sort;
  if (!column) return;
  const known = shown.filter((one) => one.answer || one.error).map((one) => [columns[column](one), one]);
  known.sort(([a], [b]) => (a > b ? way : a < b ? -way : 0));
  const order = [...known.map(([, one]) => one), ...shown.filter((one) => !one.answer && !one.error)];
  if (order.every((one, i) => one.row.sectionRowIndex === i)) return;
  for (const one of order) {
    $("tbody").append(one.row);
    $("#cards").append(one.card);
  }
}

function sort(column, button) {
  state.sort = [column, state.sort[0] === column ? -state.sort[1] : column === "probability" ? -1 : 1];
  arrange();
  const [, way] = state.sort;
  for (const head of document.querySelectorAll("#results th")) head.setAttribute("aria-sort", "none");
  button.closest("th").setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
}

function download() {
  // a leading = + - @ would be run as a formula by a spreadsheet, some of which skip white space before it
  const quoted = (text) => `"${String(text).replace(/^\s*[=+\-@]/, "'$&").replaceAll('"', '""')}"`;
  const inOrder = [...shown].sort((a, b) => a.row.sectionRowIndex - b.row.sectionRowIndex);
  const rows = inOrder.map((one) => [one.name, one.answer?.probability ?? "", one.answer ? named(decision(one.answer)) : "", state.threshold, remarks(one), spokenNotice(state.notice)]);
  const lines = [["file", "probability", "decision", "threshold", "remarks", "notice"], ...rows].map((row) => row.map(quoted).join(","));
  const link = document.createElement("a");
  // the mark tells spreadsheets that it is UTF-8
  link.href = URL.createObjectURL(new Blob(["\ufeff", lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
  link.download = "neumo.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

function clear() {
  clearing.abort();
  clearing = new AbortController();
  state.waiting = 0;
  if (shown.some(replaced)) begin();
  shown.length = 0;
  $("tbody").replaceChildren();
  $("#cards").replaceChildren();
  $("#results").hidden = true;
  tell(() => "");
  $("#files").focus();
}

// the start

function askForToken() {
  $("#ask").hidden = false;
  $("#denied").hidden = !api.hasToken();
}

let introduction = null;

// What the classifier is and where it decides; who asks meanwhile waits for the same answer.
function introduce() {
  return (introduction ??= learn().finally(() => (introduction = null)));
}

async function learn() {
  const [card, points, limits] = await Promise.all([api.card(), api.operatingPoints(), api.limits()]);
  Object.assign(state, { card, points, limits, positive: card.positive });
  $("#ask").hidden = true;
  $("#model").textContent = card.name;
  tellNotice(card.notice);
  $("#point").hidden = false;
  $("#point-text").dataset.word = card.threshold?.rule?.reach > 1 ? "pointTextStressed" : "pointText";
  $("#point-text").textContent = state.words[$("#point-text").dataset.word];
  move(points.chosen);
  tellCard();
}

async function begin() {
  try {
    await introduce();
  } catch (error) {
    if (error.status === 401) askForToken();
    else tell(() => inWords(faultOf(error)));
  }
}

$("#ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("#denied").hidden = true; // so that it is spoken again
  api.useToken($("#token").value);
  await begin();
  if ($("#ask").hidden) $("#files").focus(); // what had it is gone
});
$("#files").addEventListener("change", (event) => {
  examine([...event.target.files].map((file) => ({ name: file.name, file })));
  event.target.value = "";
});
$("#threshold").addEventListener("input", (event) => move(Number(event.target.value)));
$("#reset").addEventListener("click", () => move(state.points.chosen));
$("#download").addEventListener("click", download);
$("#clear").addEventListener("click", clear);
for (const button of document.querySelectorAll("[data-sort]")) button.addEventListener("click", () => sort(button.dataset.sort, button));
$("#language").addEventListener("change", (event) => speak(event.target.value));
$("#theme").addEventListener("change", (event) => (document.documentElement.dataset.theme = event.target.value));
document.addEventListener("paste", (event) => examineBrought(event.clipboardData));
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("#drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") examineBrought(event.dataTransfer);
  });
}

const language = navigator.language.startsWith("es") ? "es" : "en";
$("#language").value = language;
speak(language);
begin();
