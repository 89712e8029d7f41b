// The server's answers.

let token = "";

if (location.hash.startsWith("#token=")) {
  const told = location.hash.slice(7);
  try {
    token = decodeURIComponent(told);
  } catch {
    token = told; // a % that encodes nothing
  }
  history.replaceState(null, "", location.pathname);
}

export function useToken(given) {
  token = given;
}

export const hasToken = () => token !== "";

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  if (/[^ -~]/.test(token)) throw new Refused(401, "Authorization"); // no server's, and no header may have it
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(path, { ...options, headers });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  const error = new Refused(answer.status, told.error || answer.statusText || String(answer.status));
  error.after = Number(answer.headers.get("Retry-After")) || 1;
  throw error;
}

export const card = async () => (await ask("api/card")).json();
export const cardPage = async (language) => (await ask("api/card.html", { headers: { "Accept-Language": language } })).text();
export const limits = async () => (await ask("api/limits")).json();
export const operatingPoints = async () => (await ask("api/operating-points")).json();

const TRIES = 60;

// File names stay in the browser: they often name the patient.
async function send(path, files, busy, signal) {
  for (let left = TRIES; ; left--) {
    const body = new FormData();
    for (const file of files) body.append("files", file, "radiograph");
    try {
      return await (await ask(path, { method: "POST", body, signal })).json();
    } catch (error) {
      if (error.status !== 429 || left <= 1) throw error;
      busy();
      await new Promise((again) => setTimeout(again, 1000 * error.after));
    }
  }
}

export const predict = (files, busy, signal) => send("api/predict", files, busy, signal);
export const explain = (file, busy, signal) => send("api/explain", [file], busy, signal);
